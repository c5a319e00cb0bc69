"""Functional volumes in BIDS and pictures."""
