"""Fit a torch module: one explicit loop that every method shares."""
