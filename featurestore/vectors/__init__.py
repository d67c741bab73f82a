"""The rows of a request, and the vector that answers each row: the same steps offline and online."""
