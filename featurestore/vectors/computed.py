"""What an on-demand view computes for the rows of a request."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.call import reason
from featurestore.errors import ContractError
from featurestore.expressions.row_function import RowFunction
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.compiled import MAX_COMPILED_ROWS, compiled
from featurestore.vectors.complete import compute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.definitions.on_demand import OnDemandFeatureView


@dataclass(frozen=True)
class Computed:
    """One on-demand view of a service, and the positions of its inputs.

    Attributes
    ----------
    requested, stored
        Positions of the inputs among the values of a request, and among the stored features.
    inputs_of
        Takes the inputs from one row: its values of the request, then its stored features.
    function
        Computes one row. None: Polars computes all rows.
    """

    view: OnDemandFeatureView
    schema: pl.Schema
    requested: dict[str, int]
    stored: dict[str, int]
    inputs_of: Callable[[Sequence[Any]], Sequence[Any]]
    function: RowFunction | None

    @classmethod
    def of(cls, view: OnDemandFeatureView, columns: Sequence[str], stored: Sequence[str]) -> Computed:
        """Find the inputs of a view among the columns of a request and the stored features."""
        schema = view.input_schema
        requested = {name: columns.index(name) for name in view.request.schema}
        read = {name: stored.index(name) for name in schema if name not in requested}
        function = compiled(view)
        positions = [*requested.values(), *(len(columns) + i for i in read.values())]
        # `itemgetter` of one position returns a value and not a row; a view may need no input.
        one_or_none = slice(positions[0], positions[0] + 1) if positions else slice(0)
        inputs_of = itemgetter(*positions) if len(positions) > 1 else itemgetter(one_or_none)
        row_function = function if isinstance(function, RowFunction) else None
        return cls(view, schema, requested, read, inputs_of, row_function)

    def compute(self, rows: Sequence[Sequence[Any]], values: list[list[Any]]) -> list[tuple[Any, ...]]:
        """Compute the features of each row, in the order of the view.

        Parameters
        ----------
        rows
            Rows of the request, in its columns.
        values
            Stored features of each row.

        Raises
        ------
        ContractError
            If a request value has a wrong type.
        """
        if self.function is not None and len(rows) <= MAX_COMPILED_ROWS:
            results = []
            function, inputs_of = self.function.compute, self.inputs_of
            for row, features in zip(rows, values, strict=True):
                result = function(inputs_of((*row, *features)))
                if result is None:
                    break
                results.append(result)
            else:
                return results
        columns = {name: [row[i] for row in rows] for name, i in self.requested.items()}
        columns |= {name: [row[i] for row in values] for name, i in self.stored.items()}
        try:
            inputs = pl.DataFrame(columns, schema=self.schema)
        except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            expected = ", ".join(f"{name} as {self.schema[name]}" for name in self.requested)
            raise ContractError(
                f"a request value for on-demand view {self.view.name!r} has a wrong type: {reason(error)}",
                hint=f"give {expected}",
            ) from error
        return in_utc_zone(compute(self.view, inputs)).rows()
