"""Values as text that is the same in every process: what a constant counts by."""

from __future__ import annotations

import dataclasses
import re
from collections import OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import PurePath
from types import (
    BuiltinFunctionType,
    FunctionType,
    GenericAlias,
    MappingProxyType,
    MethodDescriptorType,
    MethodType,
    SimpleNamespace,
    UnionType,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from featurestore.definitions.contract import Contract
from featurestore.definitions.dataset import Dataset
from featurestore.definitions.feature_service import FeatureService, TrainingSet
from featurestore.definitions.feature_view import FeatureView, Selection
from featurestore.definitions.fingerprint.parts import shortened
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.definitions.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# Definitions count by the statements that declare them.
DEFINITIONS = (
    Contract,
    Dataset,
    FeatureService,
    FeatureView,
    OnDemandFeatureView,
    Selection,
    Source,
    TrainingSet,
)
CODE_TYPES = (
    FunctionType,
    MethodType,
    BuiltinFunctionType,
    MethodDescriptorType,
    WrapperDescriptorType,
    type,
)
MAX_CELLS = 100_000
MAX_DEPTH = 50
_SCALARS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
_REPRESENTED = (timedelta, datetime, date, time, timezone, Decimal, Fraction, UUID, range, slice)


class UnknownValueError(Exception):
    """A value has no text that is the same in every process."""


class Encoder:
    """Writes values as tokens, and collects the code that they refer to.

    Parameters
    ----------
    root
        The project's folder: a path below it counts relative to it, so that checkouts agree.

    Attributes
    ----------
    tokens
        The text of the values written so far.
    references
        Functions and classes that the values refer to, in order; their code counts separately.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = str(root)
        self.tokens: list[str] = []
        self.references: list[Any] = []

    def write(self, value: Any, depth: int = 0) -> None:
        """Write one value.

        Raises
        ------
        UnknownValueError
            If the value, or a part of it, has no stable text.
        """
        if depth > MAX_DEPTH:
            raise UnknownValueError("nested too deep")
        if isinstance(value, Enum):
            self._named("enum", value.name, type(value))
            return
        kind = type(value)
        if kind in _SCALARS:
            self.tokens.append(f"{kind.__name__}:{self._text(value)}")
        elif kind in _REPRESENTED:
            self.tokens.append(f"{kind.__name__}:{value!r}")
        elif isinstance(value, CODE_TYPES):
            self._code(value, depth)
        else:
            self._other(value, depth)

    def _text(self, value: Any) -> str:
        return repr(value.replace(self.root, "<root>") if isinstance(value, str) else value)

    def _named(self, kind: str, name: str, reference: Any) -> None:
        self.tokens.append(f"{kind}:{reference.__qualname__}.{name}")
        self.references.append(reference)

    def _code(self, value: Any, depth: int) -> None:
        if (
            isinstance(value, type)
            and issubclass(value, pl.DataType)
            and value.__module__.startswith("polars")
        ):
            self.tokens.append(f"dtype:{value.__name__}")
        elif isinstance(value, MethodType):
            self.tokens.append("method")
            self.write(value.__func__, depth + 1)
            self.write(value.__self__, depth + 1)
        elif (
            isinstance(value, BuiltinFunctionType)
            and getattr(value, "__self__", None) is not None
            and not hasattr(value.__self__, "__spec__")
        ):
            # A method of a built-in value, such as ``{...}.get``.
            self.tokens.append(f"method:{value.__name__}")
            self.write(value.__self__, depth + 1)
        else:
            self.tokens.append(f"code:{value.__qualname__}")
            self.references.append(value)

    def _other(self, value: Any, depth: int) -> None:
        for types, write in self._writers():
            if isinstance(value, types):
                write(value, depth + 1)
                return
        module = type(value).__module__.partition(".")[0]
        if module == "numpy" and hasattr(value, "tobytes") and not getattr(value.dtype, "hasobject", True):
            self.tokens.append(f"numpy:{value.dtype.str}:{value.shape}:{value.tobytes().hex()}")
        elif module == "operator":
            # ``itemgetter`` and its like print their arguments.
            self.tokens.append(repr(value))
        elif type(value).__name__ == "_lru_cache_wrapper":
            self._code(value, depth)
        elif dataclasses.is_dataclass(value) and not isinstance(value, DEFINITIONS):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            self._instance(value, fields, depth)
        else:
            raise UnknownValueError(type(value).__qualname__)

    def _writers(self) -> Iterable[tuple[Any, Callable[[Any, int], None]]]:
        return (
            ((dict, MappingProxyType), self._mapping),
            ((tuple, list, deque), self._sequence),
            ((set, frozenset), self._set),
            (partial, self._partial),
            (PurePath, self._path),
            (re.Pattern, lambda value, _: self.tokens.append(f"pattern:{value.pattern!r}:{value.flags}")),
            (ZoneInfo, self._zone),
            (pl.DataType, self._dtype),
            (pl.Expr, self._expression),
            (pl.Series, lambda value, depth: self._frame(value.to_frame(), depth)),
            (pl.DataFrame, self._frame),
            ((GenericAlias, UnionType), lambda value, _: self.tokens.append(f"alias:{value!r}")),
            (SimpleNamespace, lambda value, depth: self._instance(value, vars(value), depth)),
            (msgspec.Struct, self._struct),
            ((str, bytes, int, float), self._subclass),
        )

    def _mapping(self, value: Any, depth: int) -> None:
        self._class(value, dict, OrderedDict, defaultdict, MappingProxyType)
        if isinstance(value, defaultdict):
            self.write(value.default_factory, depth)
        self.tokens.append("{")
        for key, item in value.items():
            self.write(key, depth)
            self.write(item, depth)
        self.tokens.append("}")

    def _sequence(self, value: Any, depth: int) -> None:
        self._class(value, tuple, list, deque)
        self.tokens.append("[")
        for item in value:
            self.write(item, depth)
        self.tokens.append("]")

    def _set(self, value: Any, depth: int) -> None:
        self._class(value, set, frozenset)
        parts = []
        for item in value:
            inner = Encoder(self.root)
            inner.write(item, depth)
            parts.append((inner.tokens, inner.references))
        # The order of a set differs from process to process.
        for tokens, references in sorted(parts, key=lambda part: part[0]):
            self.tokens.extend(tokens)
            self.references.extend(references)
        self.tokens.append("}")

    def _partial(self, value: Any, depth: int) -> None:
        self.tokens.append("partial")
        self.write(value.func, depth)
        self.write(value.args, depth)
        self.write(value.keywords, depth)

    def _path(self, value: PurePath, _depth: int) -> None:
        self.tokens.append(f"path:{self._text(value.as_posix())}")

    def _zone(self, value: ZoneInfo, _depth: int) -> None:
        if value.key is None:
            raise UnknownValueError("a time zone without a name")
        self.tokens.append(f"zone:{value.key}")

    def _dtype(self, value: pl.DataType, _depth: int) -> None:
        self.tokens.append(f"dtype:{value!r}")

    def _expression(self, value: pl.Expr, _depth: int) -> None:
        try:
            self.tokens.append(f"expr:{value.meta.serialize(format='json')}")
        except pl.exceptions.PolarsError as error:
            # It holds a Python function: the statement that makes it counts.
            raise UnknownValueError("an expression with a Python function") from error

    def _frame(self, value: pl.DataFrame, depth: int) -> None:
        if value.height * value.width > MAX_CELLS or pl.Object in value.dtypes:
            raise UnknownValueError("a large frame")
        self.tokens.append(f"frame:{list(value.schema.items())!r}")
        self.write(value.rows(), depth)

    def _struct(self, value: Any, depth: int) -> None:
        self._instance(value, {name: getattr(value, name) for name in value.__struct_fields__}, depth)

    def _subclass(self, value: Any, depth: int) -> None:
        base = next(base for base in (str, bytes, int, float) if isinstance(value, base))
        self._instance(value, {"value": base(value)}, depth)

    def _class(self, value: Any, *plain: type) -> None:
        self.tokens.append(type(value).__qualname__)
        if type(value) not in plain:
            self.references.append(type(value))

    def _instance(self, value: Any, fields: dict[str, Any], depth: int) -> None:
        self._class(value, SimpleNamespace)
        for name, item in fields.items():
            self.tokens.append(f".{name}")
            self.write(item, depth)


def printed(value: Any, encoder: Encoder) -> str | None:
    """Print a value for a reader; None where the text would differ between processes or say little.

    Parameters
    ----------
    encoder
        The encoder that wrote the value, and no other.
    """
    if encoder.references or isinstance(value, pl.Series | pl.DataFrame):
        return None
    if isinstance(value, set | frozenset):
        text = f"{{{', '.join(sorted(map(repr, value)))}}}"
    elif {"set", "frozenset"}.intersection(encoder.tokens):
        return None
    else:
        text = str(value) if isinstance(value, (*_REPRESENTED, PurePath, pl.Expr)) else repr(value)
    return shortened(text.replace(encoder.root, "<root>"))
