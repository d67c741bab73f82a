"""The HTTP server: lookups in Feast's wire format and in a leaner one, pushes, and validation of datasets."""
