"""Audit: what serving gives equals what the joins and the training sets hold."""
