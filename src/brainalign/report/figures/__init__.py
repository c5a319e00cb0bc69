"""Figures of the page: arrays in, matplotlib figures out."""
