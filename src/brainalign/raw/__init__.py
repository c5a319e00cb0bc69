"""Stage raw: recordings in the formats of their field, simulated or downloaded."""
