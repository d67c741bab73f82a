"""Reports from the records of the gate: pages for people, files for machines."""
