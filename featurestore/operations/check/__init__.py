"""Check: the definitions, without a row, and what they leave unproven."""
