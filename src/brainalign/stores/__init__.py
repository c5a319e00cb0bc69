"""Zarr stores and published folders: the contracts between the stages.

This package is the only code that opens or writes Zarr.
"""
