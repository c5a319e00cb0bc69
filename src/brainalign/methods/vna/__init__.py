"""VNA: contrastive visual-neural alignment (after Gao, Rong and He 2025, arXiv 2511.04096)."""
