"""Sorted spikes in NWB and pictures."""
