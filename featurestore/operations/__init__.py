"""Operations: one verb a file. Each function takes the workspace first, and is a method of the project."""
