"""The gate: rows are cast and checked, the bad ones set apart, the verdict written."""
