"""Methods that align windows of a movie with windows of BOLD: arrays, stores and experiments."""
