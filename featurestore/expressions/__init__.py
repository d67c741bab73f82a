"""Polars expressions of one row, compiled to plain Python functions with the same results."""
