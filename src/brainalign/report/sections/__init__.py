"""Sections of the page: published folders in, tables and pictures out."""
