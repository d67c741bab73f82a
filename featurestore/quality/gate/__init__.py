"""The gate: it casts and checks rows, puts bad rows in quarantine, and writes the verdict."""
