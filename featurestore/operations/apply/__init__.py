"""Apply: register the definitions with Feast, and say what changed in them."""
