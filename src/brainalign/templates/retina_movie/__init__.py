"""Spikes and movies in NWB."""
