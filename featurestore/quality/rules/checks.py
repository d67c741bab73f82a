"""Compile Pandera's checks into rules.

A check is a function of a lazy frame. It is called once with a recorder in place of the frame; if
it selects one expression, that expression becomes a rule and runs in the gate's query. A check that
does more than select one expression runs as Pandera runs it, over the columns that it reads.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from featurestore.definitions.call import place, reason
from featurestore.errors import DefinitionError
from featurestore.quality.rules.rule import ROW, DatasetRule, RowRule, Rule, SearchRule
from featurestore.quality.rules.rule_id import RuleId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.rules.rule import SearchResult


@cache
def check_rules(contract: Contract) -> Mapping[str | None, tuple[Rule, ...]]:
    """Compile the checks of a contract: by column, and under None those of the whole row.

    Raises
    ------
    DefinitionError
        If a check does not fit its columns, or is grouped, which Pandera ignores on Polars.
    """
    rules: dict[str | None, tuple[Rule, ...]] = {
        column.name: tuple(
            _compile(contract, check, column.name, warning=column.severity == "warning")
            for check in column.checks
        )
        for column in contract.columns
    }
    rules[None] = tuple(_compile(contract, check, None) for check in contract.checks)
    if contract.left_out:
        rules = {
            column: tuple(rule for rule in of_column if not _reads(rule, contract.left_out))
            for column, of_column in rules.items()
        }
    traced = [rule for of_column in rules.values() for rule in of_column if isinstance(rule, RowRule)]
    aggregates = {
        rule: DatasetRule(rule.id, rule.broken.fill_null(value=False).any(), warning=rule.warning)
        for rule, is_aggregate in zip(traced, _are_aggregates(contract, traced), strict=True)
        if is_aggregate
    }
    return {
        column: tuple(aggregates.get(rule, rule) if isinstance(rule, RowRule) else rule for rule in of_column)
        for column, of_column in rules.items()
    }


def check_id(check: Any, column: str | None) -> RuleId:
    """Return the identity of a check of a column, or (None) of the whole row.

    A built-in check has its function's name as kind and its arguments as parameters; another check
    has its error text (of a column's check) or its name as kind.
    """
    columns = (column,) if column else ()
    label = str(check.error) if column and check.error else str(check.name)
    kind, _ = built_in(check)
    if kind is not None:
        built_in_id = RuleId(kind, columns, _parameters(kind, check.statistics or {}))
        if built_in_id.condition == label:
            return built_in_id
    return RuleId(label, columns)


def built_in(check: Any) -> tuple[str | None, Mapping[str, Any]]:
    """Return the name (None for a user's own check) and the arguments of a check."""
    from pandera.api.function_dispatch import Dispatcher  # noqa: PLC0415 - the user's schema has imported Pandera

    function = check._check_fn  # noqa: SLF001 - Pandera has no public name for it
    return function.__name__ if isinstance(function, Dispatcher) else None, check._check_kwargs  # noqa: SLF001


def _parameters(kind: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Print the arguments of a built-in check as Pandera prints them."""
    if kind in ("str_matches", "str_contains", "str_startswith", "str_endswith"):
        return tuple(f"'{value}'" for value in arguments.values())
    if kind == "in_range":
        return (str(arguments.get("min_value")), str(arguments.get("max_value")))
    if kind == "str_length":
        exact = arguments.get("exact_value")
        bounds = (str(arguments.get("min_value")), str(arguments.get("max_value")))
        return bounds if exact is None else (str(exact),)
    return tuple(map(str, arguments.values()))


def _compile(contract: Contract, check: Any, column: str | None, *, warning: bool = False) -> Rule:
    part = f"column {column!r}, " if column else ""
    where = f"schema {contract.name}, {part}check {check.name or check.error!r}"
    if check.groups is not None or check.groupby is not None:
        raise DefinitionError(
            f"{where}: groupby has no effect on Polars",
            hint="write the check as an expression with .over(...)",
        )
    rule_id, warns = check_id(check, column), warning or bool(check.raise_warning)
    passed = _trace(check, column, where)
    if passed is None:
        search = _search(contract, check, column, where)
        answers_for_dataset = isinstance(search(contract.empty().with_row_index(ROW)), bool)
        return SearchRule(rule_id, search, whole_dataset=answers_for_dataset, warning=warns)
    return RowRule(
        rule_id,
        broken=~passed if check.ignore_na else ~passed.fill_null(value=False),
        warning=warns,
        independent=_is_built_in(check) and column is not None,
    )


def _reads(rule: Rule, columns: frozenset[str]) -> bool:
    return isinstance(rule, RowRule) and not columns.isdisjoint(rule.broken.meta.root_names())


class _OpaqueError(Exception):
    """A check does more than select one expression."""


class _Recorder:
    """Replaces the lazy frame of a check, and keeps what the check selects."""

    def __init__(self) -> None:
        self.selected: pl.Expr | None = None

    def select(self, *exprs: Any) -> _Recorder:
        if self.selected is not None or len(exprs) != 1 or not isinstance(exprs[0], pl.Expr):
            raise _OpaqueError
        self.selected = exprs[0]
        return self

    def __getattr__(self, name: str) -> Any:
        raise _OpaqueError(name)


def _trace(check: Any, column: str | None, where: str) -> pl.Expr | None:
    """Return the one expression that a check selects; None if it selects none."""
    from pandera.polars import PolarsData  # noqa: PLC0415 - the user's schema has imported Pandera already

    function, arguments = _function(check), check._check_kwargs  # noqa: SLF001 - Pandera has no public name for it
    if check.element_wise:
        if column is None:
            raise DefinitionError(
                f"{where}: an element-wise check cannot check a whole row", hint="name a column"
            )

        def call(value: Any) -> Any:
            try:
                return function(value, **arguments)
            except Exception as error:
                raise DefinitionError(
                    f"{where}: fails on the data: {reason(error)}", hint=f"see {place(error)}"
                ) from error

        return pl.col(column).map_elements(call, return_dtype=pl.Boolean)
    recorder = _Recorder()
    try:
        result = function(PolarsData(cast("pl.LazyFrame", recorder), column or "*"), **arguments)
    except Exception:  # noqa: BLE001 - a function that fails on the recorder may still work on a frame
        return None
    return recorder.selected if result is recorder else None


def _search(
    contract: Contract, check: Any, column: str | None, where: str
) -> Callable[[pl.LazyFrame], SearchResult]:
    """Return a search that runs a check on the frame itself, as Pandera does."""
    function, arguments, names = _function(check), check._check_kwargs, contract.schema.names()  # noqa: SLF001

    def search(frame: pl.LazyFrame) -> SearchResult:
        from pandera.polars import PolarsData  # noqa: PLC0415

        try:
            # Lazy, so that only the columns that the check reads are computed.
            result: Any = function(PolarsData(frame.select(names), column or "*"), **arguments)
            if result is None:
                raise TypeError("it returns nothing")  # noqa: TRY301 - reported like all errors of the check
            if isinstance(result, pl.DataFrame):
                result = result.lazy()
            if isinstance(result, pl.LazyFrame):
                passed = result.select(pl.all_horizontal(pl.all())).collect(engine="streaming").to_series()
                rows = frame.select(ROW).collect(engine="streaming").to_series()
                result = passed.item() if passed.len() == 1 and rows.len() != 1 else passed
        except Exception as error:
            raise DefinitionError(
                f"{where}: fails on the data: {reason(error)}", hint=f"see {place(error)}"
            ) from error
        if isinstance(result, pl.Series) and result.len() == rows.len() and result.dtype == pl.Boolean:
            return rows.filter(~result.fill_null(value=check.ignore_na))
        if result is None or isinstance(result, bool):
            return not (check.ignore_na if result is None else result)
        raise DefinitionError(
            f"{where}: returns neither one boolean nor one for each row",
            hint="return data.lazyframe.select(<one boolean Polars expression>)",
        )

    return search


def _function(check: Any) -> Any:
    # A built-in check may be a copy from before the Polars backend was registered.
    from pandera.api.checks import Check  # noqa: PLC0415
    from pandera.backends.polars.register import register_polars_backends  # noqa: PLC0415

    register_polars_backends()
    function = check._check_fn  # noqa: SLF001
    return Check.get_builtin_check_fn(function.__name__) if _is_built_in(check) else function


def _is_built_in(check: Any) -> bool:
    return built_in(check)[0] is not None


def _are_aggregates(contract: Contract, rules: Sequence[RowRule]) -> list[bool]:
    """Return for each rule whether its expression is an aggregate: one value over no rows."""
    sizes = (rule.broken.implode().list.len().alias(str(i)) for i, rule in enumerate(rules))
    try:
        return [size == 1 for size in contract.empty().select(sizes).collect().row(0)] if rules else []
    except pl.exceptions.PolarsError as error:
        if len(rules) == 1:
            raise DefinitionError(
                f"schema {contract.name}, check {rules[0].id.name!r}: {reason(error)}",
                hint="the check does not fit the schema's columns",
            ) from error
        return [_are_aggregates(contract, [rule])[0] for rule in rules]
