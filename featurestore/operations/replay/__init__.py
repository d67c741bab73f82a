"""Replay: compute again what a server answered."""
