"""Paired differences between methods, and between backbones, with intervals and tests."""
