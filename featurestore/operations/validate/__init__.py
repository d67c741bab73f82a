"""Validate: let rows through the gate, and keep what it decided."""
