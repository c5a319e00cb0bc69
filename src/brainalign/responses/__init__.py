"""Responses of units to stimuli, one store per subject, with their reliability."""
