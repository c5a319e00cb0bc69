"""Train the two small backbones of the simulated world by a rule."""
