"""Add: draft a dataset, its schema and a view from a file."""
