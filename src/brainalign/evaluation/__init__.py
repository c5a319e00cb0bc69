"""Scores of predictions: exact ranks and identification, intervals, chance and ceilings."""
