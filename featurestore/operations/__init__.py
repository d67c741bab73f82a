"""Operations: one verb a file, or a folder if it needs several files.

Each function takes the workspace first, and is a method of the project.
"""
