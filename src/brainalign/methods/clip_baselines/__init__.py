"""Baselines of methods that align windows of a movie with windows of BOLD."""
