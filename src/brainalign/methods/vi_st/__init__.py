"""Vi-ST: firing rates of retinal ganglion cells from a movie's tokens (after Wu et al. 2024)."""
