"""What a finished run offers to a notebook: its stores, models and scores in a few lines."""
