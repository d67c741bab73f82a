"""Audit set: compare a training set that another tool made with what serving would have given."""
