"""Prove: rows that the schemas allow give the same bits on each path."""
