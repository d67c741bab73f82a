"""Add: version a file, and draft a source and its schema for it."""
