"""How the server runs: options, keys, limits, threads and reloads."""
