"""Verdict: read what the gate decided, or write it for continuous integration."""
