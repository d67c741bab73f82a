"""Rebuild: make a training set again from its record, and name what differs."""
