"""What a value may be, and how it is stored."""
