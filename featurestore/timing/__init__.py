"""When a row is known, which row wins, when a value is expired."""
