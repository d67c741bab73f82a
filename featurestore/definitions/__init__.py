"""The definitions that users write, from contracts and sources to services and training sets."""
