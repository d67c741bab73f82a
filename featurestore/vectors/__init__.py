"""The rows of a request and their vectors: the same steps offline and online."""
