"""Alignment methods: arrays and options in, embeddings and weights out."""
