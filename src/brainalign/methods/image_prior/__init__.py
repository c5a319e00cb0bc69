"""Image priors: unconditional diffusion models of a data set's stimuli, and readers of them."""
