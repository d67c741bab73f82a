"""What users and we prove views and stores with."""
