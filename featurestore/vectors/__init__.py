"""The rows of a request, and the vector that answers each: the same steps offline and online."""
