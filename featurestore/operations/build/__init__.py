"""Build: run the function of a dataset or feature view on its inputs."""
