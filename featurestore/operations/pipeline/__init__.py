"""Pipeline: write `dvc.yaml` from the definitions."""
