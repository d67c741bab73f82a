"""Fitted steps over a few rows: compiled to plain Python, or in Polars where that computes something else."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.expressions.row_function import NotCompiled, RowFunction, row_function
from featurestore.preprocessing.fit import REFUSED, applied, apply, functions_of, origins
from featurestore.timing.join import WITHOUT_ROW, Status
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.compiled import MAX_COMPILED_ROWS, same_value
from featurestore.vectors.own_rows import rows_of_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.feature_service import FeatureService

_PRESENT, _NULL = Status.PRESENT.value, Status.NULL_VALUE.value


@lru_cache(maxsize=256)
def compiled_steps(service: FeatureService) -> RowFunction | NotCompiled:
    """Compile the fitted steps of a service, and compare them with Polars on generated rows.

    Returns
    -------
    RowFunction or NotCompiled
        NotCompiled has the reason for which Polars applies the steps at each request.
    """
    steps = () if service.fitted is None else service.fitted.steps
    schema = service.joined.feature_schema
    functions = {name: function.of_value for name, function in functions_of(steps).items()}
    function = row_function(lambda rows: apply(rows, steps, with_refused=True), schema, functions)
    if isinstance(function, NotCompiled):
        return function
    rows = rows_of_schema(schema)
    expected = in_utc_zone(apply(rows.lazy(), steps, with_refused=True).collect()).rows()
    for row, values in zip(in_utc_zone(rows).rows(), expected, strict=True):
        result = function.compute(row)
        if result is not None and not all(map(same_value, result, values)):
            return NotCompiled("Python and Polars apply the steps differently on this machine")
    return function


class FittedSteps:
    """Applies the fitted steps of a service to rows of its features.

    Parameters
    ----------
    service
        A service with its fitted state.
    """

    def __init__(self, service: FeatureService) -> None:
        self._schema = service.joined.feature_schema
        self._steps = () if service.fitted is None else service.fitted.steps
        names = self._schema.names()
        origin = origins(names, self._steps)
        # For each column of the fitted vector, where the status of the feature is that it is computed from.
        self._status_positions = [names.index(origin[name]) for name in service.feature_names]
        function = compiled_steps(service)
        self._function = function if isinstance(function, RowFunction) else None
        # The last column of a compiled row then says whether Polars refuses the row, with the reason.
        self._may_refuse = self._function is not None and REFUSED in self._function.schema

    def apply(
        self, values: Sequence[Sequence[Any]], statuses: Sequence[Sequence[int]]
    ) -> tuple[list[list[Any]], list[list[int]]]:
        """Return values and statuses of the fitted vector, row by row.

        Where the store has no row for a feature, its columns say so; else the status follows from the value.

        Raises
        ------
        ContractError
            If a step has no value for a row, and its rule is to refuse such a row.
        """
        fitted = self._compiled(values)
        if fitted is None:
            rows = pl.DataFrame(values, schema=self._schema, orient="row")
            fitted = [list(row) for row in in_utc_zone(applied(rows, self._steps)).rows()]
        return fitted, [
            [
                before[position]
                if before[position] in WITHOUT_ROW
                else (_NULL if value is None else _PRESENT)
                for value, position in zip(row, self._status_positions, strict=True)
            ]
            for row, before in zip(fitted, statuses, strict=True)
        ]

    def _compiled(self, values: Sequence[Sequence[Any]]) -> list[list[Any]] | None:
        if self._function is None or len(values) > MAX_COMPILED_ROWS:
            return None
        rows = []
        for row in values:
            result = self._function.compute(row)
            if result is None or (self._may_refuse and result[-1]):
                return None
            rows.append(list(result[:-1] if self._may_refuse else result))
        return rows
