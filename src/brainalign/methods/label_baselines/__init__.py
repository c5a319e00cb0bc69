"""Baselines of label decoding: one subject alone, pooled, subject embedding, shared responses."""
