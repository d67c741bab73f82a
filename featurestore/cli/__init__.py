"""The command line: parses, calls, prints."""

from featurestore.cli.app import main

__all__ = ["main"]
