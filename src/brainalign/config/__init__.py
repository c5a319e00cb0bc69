"""The configuration of an experiment: strict YAML, typed options, generated documentation."""
