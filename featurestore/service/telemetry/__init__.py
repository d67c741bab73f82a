"""What the server reports about itself: the request log, metrics and the served log."""
