"""Changes between two datasets, between two schemas, and from run to run."""
