"""The files of a project: their paths, and how they are written and locked."""
