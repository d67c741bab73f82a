"""One verb per file: what the commands do."""
