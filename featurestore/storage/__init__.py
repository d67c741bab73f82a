"""Where data lie, and how they are written."""
