"""The fingerprint of a definition: what decides its values, and the difference between two by name."""

from featurestore.definitions.fingerprint.difference import Difference, differences
from featurestore.definitions.fingerprint.loaded import (
    all_definitions,
    changed_files,
    fingerprint,
    keep_fingerprints,
)
from featurestore.definitions.fingerprint.of_definition import code_files, fingerprint_of
from featurestore.definitions.fingerprint.parts import Fingerprint, Part

__all__ = [
    "Difference",
    "Fingerprint",
    "Part",
    "all_definitions",
    "changed_files",
    "code_files",
    "differences",
    "fingerprint",
    "fingerprint_of",
    "keep_fingerprints",
]
