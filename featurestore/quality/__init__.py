"""What guards a dataset."""
