"""Methods that predict rates during movies: arrays, stores and experiments."""
