"""NeuroAlign: BOLD and video in one space, by contrast over time and a shared codebook."""
