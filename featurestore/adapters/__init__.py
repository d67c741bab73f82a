"""Adapters to the outside. Each module wraps one third-party library or one kind of file."""
