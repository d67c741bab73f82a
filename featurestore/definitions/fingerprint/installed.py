"""Versions of installed packages that compute."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from featurestore.definitions.fingerprint.parts import Part, value_part

# What featurestore itself computes: the value table, the codec, and the rules of timing. Raise the number with every
# change of `featurestore.values`, `featurestore.timing` or the gate's casting that can change a value.
SEMANTICS = 2
SEMANTICS_PART = "featurestore semantics"
OWN = "featurestore"
NOT_INSTALLED = "not installed"
# Distributions that compute the values of every definition.
COMPUTING = ("polars", "pyarrow", "pandera")


@cache
def installed_version(distribution: str) -> str:
    """Return the version of an installed distribution, or `NOT_INSTALLED`."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return NOT_INSTALLED


@cache
def distributions_of(module: str) -> tuple[str, ...]:
    """Find the distributions that install a top-level module; none for the standard library and featurestore."""
    if module in sys.stdlib_module_names or module in {OWN, "builtins", "__main__", ""}:
        return ()
    if installed_version(module) != NOT_INSTALLED:
        return (module,)
    return tuple(sorted(set(packages_distributions().get(module, [module]))))


def semantics_part() -> Part:
    """Make the part of the rules by which featurestore itself computes."""
    return value_part("package", SEMANTICS_PART, SEMANTICS)
