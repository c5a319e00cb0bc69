"""Baselines that predict rates during movies: from a constant to a small network."""
