"""CLIP-MUSED: labels from the responses of several subjects, guided by CLIP (Zhou et al. 2024)."""
