"""What the server tells of itself: log lines, metrics and the served-feature log."""
