"""How the server runs: options, API keys, deadlines, threads, uploads and the log."""
