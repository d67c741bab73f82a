"""The scopes of an API key."""

from __future__ import annotations

from enum import StrEnum


class KeyScope(StrEnum):
    """What an API key permits.

    Attributes
    ----------
    READ
        Look up feature vectors, and read verdicts and histories of datasets.
    WRITE
        Push rows to feature views.
    VALIDATE
        Validate uploaded rows against the contract of a dataset.
    """

    READ = "read"
    WRITE = "write"
    VALIDATE = "validate"
