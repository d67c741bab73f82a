"""Versions of installed packages that compute."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint.parts import Part, value_part

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    return tuple(sorted(set(distributions_by_module().get(module, [module]))))


@cache
def distributions_by_module() -> Mapping[str, list[str]]:
    """List the distributions of every installed module: this reads the files of each distribution, for a second."""
    return packages_distributions()


def semantics_part() -> Part:
    """Make the part of the rules by which featurestore itself computes."""
    return value_part("package", SEMANTICS_PART, SEMANTICS)
