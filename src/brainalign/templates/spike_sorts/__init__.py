"""Folders of spike sorters, or raw samples, and pictures."""
