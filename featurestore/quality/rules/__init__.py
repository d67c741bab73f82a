"""What a contract asks for: rules over a row, over a dataset, and between datasets."""
