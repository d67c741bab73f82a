"""The dtypes that a feature can have, and how its values are stored."""
