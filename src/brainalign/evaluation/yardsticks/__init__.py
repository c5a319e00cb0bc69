"""Common yardsticks: how well each layer of a backbone fits responses, whatever the method."""
