"""Init: write the files of a project."""
