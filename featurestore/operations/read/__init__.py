"""Read: the rows of what is built, by name or by a reference to a version, a split, answers or a file."""
