"""Stimuli: decoded images and movies with labels and one split, shared by all methods."""
