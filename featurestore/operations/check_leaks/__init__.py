"""Check leaks: no row of a view or a training set knows the future."""
