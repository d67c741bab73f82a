"""Card: the facts of a training set, and what its maker says of it, for people and for machines."""
