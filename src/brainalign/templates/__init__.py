"""Folders to start from: a configuration, a guide and a script per kind of recording."""
