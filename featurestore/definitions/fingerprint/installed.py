"""Versions of installed packages that compute."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata
from inspect import getmodulename
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
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return NOT_INSTALLED


@cache
def distributions_of(module: str) -> tuple[str, ...]:
    """Find the distributions that install a top-level module; none for the standard library and featurestore."""
    if module in sys.stdlib_module_names or module in {OWN, "builtins", "__main__", ""}:
        return ()
    if installed_version(module) != NOT_INSTALLED:
        return (module,)
    return tuple(sorted(set(_distributions_by_module().get(module, [module]))))


@cache
def modules_of(distribution: str) -> frozenset[str]:
    """Return the top-level modules that a distribution installs; none if it is not installed."""
    try:
        package = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return frozenset()
    declared = (package.read_text("top_level.txt") or "").split()
    files = () if declared else (file for file in package.files or () if file.suffix != ".pyc")
    inferred = (
        file.parts[0] if len(file.parts) > 1 else file.stem for file in files if getmodulename(file.name)
    )
    return frozenset((*declared, *inferred))


@cache
def _distributions_by_module() -> Mapping[str, list[str]]:
    """List the distributions of every installed module: this reads the files of each distribution, for a second."""
    return metadata.packages_distributions()


def semantics_part() -> Part:
    """Make the part of the rules by which featurestore itself computes."""
    return value_part("package", SEMANTICS_PART, SEMANTICS)
