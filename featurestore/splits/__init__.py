"""Splits and samples of training sets: what users declare, and pure functions from frames to frames."""
