"""Feast, and nothing of Feast anywhere else."""
