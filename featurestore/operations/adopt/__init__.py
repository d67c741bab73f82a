"""Adopt: make a project of a Feast repository that exists."""
