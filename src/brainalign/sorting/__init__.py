"""From electrodes and spike sorters' folders to curated units in NWB.

Modules that import SpikeInterface run in an environment of their own (``envs/sorting.txt``): it
writes only Zarr 2, the rest of the package Zarr 3. Nothing here imports torch, Zarr or xarray.
"""
