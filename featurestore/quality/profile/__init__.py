"""Profiles: descriptions of the values of a dataset, and what follows from them."""
