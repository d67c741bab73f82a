"""What the values of a dataset are, and what can be said of it from them."""
