"""What a caller gives: names, integers and numbers, checked in one place before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from types import UnionType

    from featurestore.errors import FeatureStoreError

T = TypeVar("T")

_INTEGERS: Final = range(-(2**63), 2**63)


def names_of(
    option: str,
    names: object,
    *,
    example: str,
    what: str = "columns",
    error: type[FeatureStoreError] = DefinitionError,
) -> tuple[str, ...]:
    """Read names, or a single one.

    Parameters
    ----------
    option
        What was given, for messages: ``"step scale: columns"``.
    example
        What to write, for the hint.
    what
        What is named.
    error
        The error to raise.

    Raises
    ------
    DefinitionError
        Or `error`: if they are not text, there are none, or one is named twice.
    """
    # The order of a set is another one in each process.
    texts = None if isinstance(names, set | frozenset) else listed_names(names)
    if texts is None or "" in texts:
        raise error(
            f"{option} is {names!r}; expected names of {what} as text, in order", hint=f"example: {example}"
        )
    if not texts:
        raise error(f"{option}: no {what} are named", hint=f"example: {example}")
    if repeated := [name for position, name in enumerate(texts) if name in texts[:position]]:
        raise error(f"{option}: {repeated[0]!r} is named twice", hint="name it once")
    return texts


def listed_names(names: object) -> tuple[str, ...] | None:
    """Return names, or a single one, as a tuple; those of a set are sorted. None: they are something else."""
    if isinstance(names, str):
        listed: tuple[object, ...] = (names,)
    elif isinstance(names, Iterable) and not isinstance(names, bytes | Mapping):
        listed = tuple(names)
    else:
        return None
    texts = tuple(name for name in listed if isinstance(name, str))
    if len(texts) < len(listed):
        return None
    return tuple(sorted(texts)) if isinstance(names, set | frozenset) else texts


def wrong_type(option: str, value: object, expected: str, *, hint: str) -> DefinitionError:
    """Return the error about an argument of a wrong type, with its value and type.

    Parameters
    ----------
    option
        What was given: ``"source 'orders': origin"``.
    expected
        What is expected: ``"a path"``.
    """
    return DefinitionError(
        f"{option} is {value!r:.60} ({type(value).__name__}); expected {expected}", hint=hint
    )


def instances_of(
    option: str, values: object, kinds: type[T] | UnionType, *, what: str, example: str
) -> tuple[T, ...]:
    """Read a list of definitions.

    Parameters
    ----------
    option
        What was given, for messages: ``"feature service 'buying': features"``.
    kinds
        The types of the definitions.
    what
        What is expected.
    example
        What to write, for the hint.

    Raises
    ------
    DefinitionError
        If it is not a list, or an item is something else.
    """
    if not isinstance(values, tuple | list):
        raise wrong_type(option, values, f"a tuple of {what}", hint=f"example: {example}")
    for value in values:
        if not isinstance(value, kinds):
            raise DefinitionError(
                f"{option} has {value!r:.60} ({type(value).__name__}); expected {what}",
                hint=f"example: {example}",
            )
    return tuple(values)


def integer_of(
    option: str,
    value: object,
    *,
    smallest: int | None = None,
    largest: int | None = None,
    example: str,
    error: type[FeatureStoreError] = DefinitionError,
) -> int:
    """Read an integer.

    Parameters
    ----------
    option
        What was given, for messages: ``"step discretize: bins"``.
    smallest, largest
        The bounds. None: none.
    example
        What to write, for the hint.
    error
        The error to raise.

    Raises
    ------
    DefinitionError
        Or `error`: if it is not an integer, or out of bounds.
    """
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if is_integer and (smallest is None or value >= smallest) and (largest is None or value <= largest):  # type: ignore[operator]
        return int(value)  # type: ignore[call-overload, no-any-return]
    bounds = (
        ""
        if smallest is None
        else f" of {smallest:,} or more"
        if largest is None
        else f" from {smallest:,} to {largest:,}"
    )
    raise error(f"{option} is {value!r}; expected an integer{bounds}", hint=f"example: {example}")


def number_of(option: str, value: object, *, example: str) -> float:
    """Read a finite number, as a float.

    Raises
    ------
    DefinitionError
        If it is not a number, or is NaN, infinite or too large for a float.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise DefinitionError(f"{option} is {value!r}; expected a finite number", hint=f"example: {example}")


def scalar_of(option: str, value: object, *, example: str) -> bool | int | float | str:
    """Read a value that a column can hold and a file can keep: text, a boolean, an integer of 64 bits or a finite float.

    Raises
    ------
    DefinitionError
        If it is another one.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in _INTEGERS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, str) and _is_text(value):
        return str(value)
    raise DefinitionError(
        f"{option} is {value!r}; expected text, a boolean, an integer of 64 bits or a finite number",
        hint=f"example: {example}",
    )


def _is_text(value: str) -> bool:
    # Half of a pair of surrogates is in no file.
    return not any("\ud800" <= letter <= "\udfff" for letter in value)
