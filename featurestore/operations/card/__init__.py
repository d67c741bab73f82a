"""Card: the facts of a training set, and what its maker adds to them, for people and for machines."""
