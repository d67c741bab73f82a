"""Checked calls: what a user gives as a name, path, frame or flag is checked in one place, from the annotations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import wraps
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from featurestore.values.arguments import listed_names, wrong_type
from featurestore.values.frames import frame_of_any

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

C = TypeVar("C", bound=type)
F = TypeVar("F", bound="Callable[..., Any]")
Read: TypeAlias = "Callable[[str, Any], Any]"
_PATH_HINT: Final = 'give the path of a file as text, such as "orders.csv", or as a Path'


def checked_methods(cls: C) -> C:
    """Make each public method of a class a checked call."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, checked_call(method))
    return cls


def checked_call(function: F) -> F:
    """Let a function read its names, paths, frames and flags before it runs.

    A single name stands for a list of one, text for a path. A value of another type raises `DefinitionError`.
    """
    signature = inspect.signature(function)
    reads: dict[str, Read] = {
        name: read
        for name, parameter in signature.parameters.items()
        if (read := READS.get(parameter.annotation)) is not None
    }
    optional = {name for name in reads if signature.parameters[name].annotation.endswith("| None")}
    if not reads:
        return function

    @wraps(function)
    def checking(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            # Python says better what is missing.
            return function(*args, **kwargs)
        for name, value in bound.arguments.items():
            if name in reads and not (value is None and name in optional):
                bound.arguments[name] = reads[name](f"{function.__name__}: {name}", value)
        return function(*bound.args, **bound.kwargs)

    return cast("F", checking)


def _text(where: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise wrong_type(where, value, "text", hint='give one name, such as "orders"')


def _flag(where: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise wrong_type(where, value, "True or False", hint="write True or False")


def read_names(where: str, value: object) -> tuple[str, ...]:
    """Read names, or a single one; there may be none.

    Raises
    ------
    DefinitionError
        If one is not text.
    """
    names = listed_names(value)
    if names is None:
        raise wrong_type(where, value, "names as text", hint='give a list of names, such as ["orders"]')
    return names


def _integer(where: str, value: object) -> int:
    if isinstance(value, Integral) and not isinstance(value, bool):  # also one of NumPy
        return int(value)
    raise wrong_type(where, value, "an integer", hint="write a number without a fraction, such as 7")


def _texts(where: str, value: object) -> Mapping[str, str]:
    if isinstance(value, Mapping) and all(isinstance(word, str) for item in value.items() for word in item):
        return value
    raise wrong_type(where, value, "texts by name", hint='give a dictionary, such as {"team": "pricing"}')


def _path(where: str, value: object) -> Path:
    # Python reads an empty text as the current folder.
    if isinstance(value, Path) or (isinstance(value, str) and value):
        return Path(value)
    raise wrong_type(where, value, "a path", hint=_PATH_HINT)


def _path_or_name(where: str, value: object) -> Path | str:
    if isinstance(value, Path) or (isinstance(value, str) and value):
        return value
    raise wrong_type(where, value, "a path or a name", hint=_PATH_HINT)


def _frame(where: str, value: object) -> pl.DataFrame | pl.LazyFrame:
    if (frame := frame_of_any(value)) is not None:
        return frame
    raise wrong_type(where, value, "a frame", hint="write pl.DataFrame(rows), or pl.read_csv(path)")


def _eager(where: str, value: object) -> pl.DataFrame:
    return _frame(where, value).lazy().collect()


def _lazy(where: str, value: object) -> pl.LazyFrame:
    return _frame(where, value).lazy()


def _frame_or_path(where: str, value: object) -> pl.DataFrame | pl.LazyFrame | Path:
    return _path(where, value) if isinstance(value, str | Path) else _frame(where, value)


# By the annotation of a parameter, as it is written. Others are read where they are used: features, entity rows and times.
READS: Final[dict[str, Read]] = {
    "bool": _flag,
    "str": _text,
    "str | None": _text,
    "Iterable[str]": read_names,
    "Collection[str]": read_names,
    "Collection[str] | None": read_names,
    "Sequence[str]": read_names,
    "Sequence[str] | None": read_names,
    "tuple[str, ...]": read_names,
    "Mapping[str, str]": _texts,
    "Mapping[str, str] | None": _texts,
    "Path": _path,
    "Path | None": _path,
    "int": _integer,
    "int | None": _integer,
    "str | Path": _path_or_name,
    "str | Path | None": _path_or_name,
    "Path | str": _path_or_name,
    "Path | str | None": _path_or_name,
    "Rows": _frame,
    "Rows | Path": _frame_or_path,
    "pl.DataFrame": _eager,
    "pl.LazyFrame": _lazy,
}
