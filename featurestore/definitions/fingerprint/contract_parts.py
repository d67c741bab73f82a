"""The parts of a contract: columns, checks, expectations and policies, and the code of a user's own checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featurestore.definitions.fingerprint.parts import Part, part_digest, shortened, value_part
from featurestore.definitions.fingerprint.plain_values import UnknownValueError
from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.fingerprint.closure import Closure
    from featurestore.definitions.fingerprint.parts import PartKind

# As users write them in ``pa.Field``.
CHECK_NAMES = {
    "equal_to": "eq",
    "not_equal_to": "ne",
    "greater_than": "gt",
    "greater_than_or_equal_to": "ge",
    "less_than": "lt",
    "less_than_or_equal_to": "le",
    "in_range": "in_range",
    "isin": "isin",
    "notin": "notin",
}
# Metadata that documents, or that decides what is shown: it decides no value.
UNCOUNTED_COLUMN_METADATA = frozenset({"unit", "personal", "drift", "known", "as_of_event"})
UNCOUNTED_METADATA = frozenset(
    {
        "licence",
        "limits",
        "url",
        "personal_data",
        "permitted_use",
        "segments",
        "on_invalid",
        "tolerance",
        "known",
    }
)
CHECK_OPTIONS = ("element_wise", "ignore_na", "raise_warning", "groupby", "groups")
EXPECTATIONS = ("expect", "expect_or_warn")


class ContractReader:
    """Lists the parts of a contract.

    Parameters
    ----------
    closure
        Follows the functions of the contract's checks.
    where
        The schema's file, relative to the project's root.
    """

    def __init__(self, contract: Contract, closure: Closure, where: str) -> None:
        self.contract = contract
        self.closure = closure
        self.where = where

    def parts(self) -> Iterator[Part]:
        """List columns, then what holds for the whole schema.

        Raises
        ------
        DefinitionError
            If a value in a check or in metadata has no text that is the same in every process.
        """
        for column in self.contract.columns:
            flags = f"{', nullable' if column.nullable else ''}{', unique' if column.unique else ''}"
            yield self._value("schema", column.name, f"{column.dtype!r}{flags}")
            for name, value in sorted(column.metadata.items()):
                if name not in UNCOUNTED_COLUMN_METADATA:
                    yield self._encoded("policy", f"{column.name}.{name}", value)
            for check in column.checks:
                yield self._check(f"{column.name}.", check)
        yield self._value("schema", "order of columns", ", ".join(self.contract.schema))
        for columns in self.contract.uniques:
            yield self._value("check", "unique", f"unique({', '.join(columns)})")
        for check in self.contract.checks:
            yield self._check("", check)
        yield self._value("policy", "strict", self.contract.strict)
        yield self._value("policy", "on_invalid", self.contract.policy.on_invalid)
        yield self._value("policy", "tolerance", self.contract.policy.tolerance)
        yield from self._metadata(self.contract.metadata)

    def _metadata(self, metadata: Mapping[str, Any]) -> Iterator[Part]:
        for name, value in sorted(metadata.items()):
            if name in EXPECTATIONS and isinstance(value, dict):
                for expectation, limits in value.items():
                    yield self._encoded("check", f"{name} {expectation}", limits)
            elif name not in UNCOUNTED_METADATA:
                yield self._encoded("policy", name, value)

    def _value(self, kind: PartKind, name: str, value: object) -> Part:
        return value_part(kind, name, value, where=self.where, schema=self.contract.name)

    def _encoded(self, kind: PartKind, name: str, value: Any) -> Part:
        tokens, text = self._tokens(name, value)
        return Part(
            kind=kind,
            name=name,
            digest=part_digest(tokens),
            where=self.where,
            schema=self.contract.name,
            value=None if text is None else shortened(f"{name} {text}" if kind == "check" else text),
        )

    def _tokens(self, name: str, value: Any) -> tuple[list[str], str | None]:
        try:
            return self.closure.encode(value)
        except UnknownValueError as error:
            raise DefinitionError(
                f"schema {self.contract.name}: {name} holds a {error}, whose text differs between processes",
                hint="use numbers, text, times, Polars dtypes or expressions, or containers of them",
            ) from error

    def _check(self, prefix: str, check: Any) -> Part:
        function = check._check_fn  # noqa: SLF001 - Pandera has no public name for it
        statistics: Mapping[str, Any] = check.statistics or {}
        name = str(check.name or getattr(function, "__name__", "check"))
        short = f"{prefix}{CHECK_NAMES.get(name, name.removeprefix('str_'))}"
        tokens = [short]
        for option in CHECK_OPTIONS:
            tokens += self._tokens(f"option {option} of check {short}", getattr(check, option, None))[0]
        arguments = []
        for key, value in statistics.items():
            encoded, text = self._tokens(f"argument {key} of check {short}", value)
            tokens += [key, *encoded]
            arguments.append(f"{key}={text}" if len(statistics) > 1 else str(text))
        self.closure.graph.keywords.update(getattr(check, "_check_kwargs", None) or {})
        own_code = self.closure.add_function(function)
        text = short if own_code and not arguments else f"{short}({', '.join(arguments)})"
        return Part(
            kind="check",
            name=short,
            digest=part_digest(tokens),
            where=self.where,
            schema=self.contract.name,
            value=shortened(text),
        )
