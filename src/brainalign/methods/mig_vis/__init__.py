"""MIG-Vis: latent groups of neural responses, and images that show what each group holds."""
