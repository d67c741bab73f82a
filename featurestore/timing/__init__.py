"""When a row is known, which row wins, and when a value is expired: pure functions."""
