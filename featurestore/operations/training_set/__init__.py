"""Training set: split, sampled, fitted, documented and built again."""
