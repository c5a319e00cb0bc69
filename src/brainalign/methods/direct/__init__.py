"""Direct encoding and decoding: predict one side from the other, then match."""
