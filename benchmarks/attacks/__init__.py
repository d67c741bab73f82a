"""The cases of `make attack`, by the door that they try."""
