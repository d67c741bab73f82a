"""Push: write rows to training and serving at once, logged before a store changes."""
