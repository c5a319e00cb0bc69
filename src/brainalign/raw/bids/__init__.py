"""BIDS data sets: files, sidecars, events and volumes."""
