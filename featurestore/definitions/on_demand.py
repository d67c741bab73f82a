"""On-demand features: Polars expressions over stored features and request values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.call import call
from featurestore.definitions.feature_view import FeatureView, Selection
from featurestore.definitions.row_wise import operation_on_other_rows
from featurestore.definitions.signature import signature_of
from featurestore.definitions.storable import require_storable
from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.values.arguments import instances_of
from featurestore.values.checked_calls import checked_call, read_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from featurestore.definitions.contract import Column, Contract
    from featurestore.definitions.signature import Transformation

OWN_ROW = (
    "compute each row from its own values: store what other rows tell as a feature of a feature view, or mark a "
    "function of each value with is_elementwise=True"
)


@dataclass(frozen=True, eq=False)
class OnDemandFeatureView:
    """Features that are computed at request time, by the same function offline and online."""

    name: str
    function: Transformation
    sources: tuple[Selection, ...]
    request: Contract
    contract: Contract
    description: str
    owner: str
    defined_in: Path

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that the view computes."""
        return self.contract.columns

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the computed features."""
        return tuple(column.name for column in self.features)

    def __getitem__(self, names: str | tuple[str, ...]) -> OnDemandFeatureView:
        """Select some of the features."""
        selected = read_names(f"on-demand view {self.name!r}: features", names)
        for name in selected:
            if name not in self.feature_names:
                raise UnknownNameError(
                    "feature", name, self.feature_names, within=f"on-demand view {self.name!r}"
                )
        columns = tuple(self.contract[name] for name in selected)
        return replace(self, contract=replace(self.contract, columns=columns))

    @property
    def input_schema(self) -> pl.Schema:
        """Columns of the function's input: the request values, then the features of the sources."""
        schema = self.request.schema
        for selection in self.sources:
            for name, feature in zip(selection.names, selection.features, strict=True):
                schema[name] = selection.view.feature_contract[feature].dtype
        return schema


@checked_call
def on_demand_feature_view(
    *, sources: tuple[Selection | FeatureView, ...] = (), owner: str
) -> Callable[[Transformation], OnDemandFeatureView]:
    """Declare features that are computed at request time.

    The function has one parameter, ``Frame[<request schema>]``, and returns ``Frame[<schema of the
    features>]``. Its input has the request values and the selected features of `sources`. It
    returns one row for each input row, in the same order, and computes each row from that input row
    only.

    Raises
    ------
    DefinitionError
        If `sources` is not a tuple of feature views, two inputs have the same name, a column has no description, a dtype
        cannot make the round trip, or the expressions read other rows (a mean, a shift, a rank).
    """
    views = instances_of(
        "on_demand_feature_view: sources",
        sources,
        FeatureView | Selection,
        what="feature views, not their names",
        example="(customer_spending['total_spent'],)",
    )

    def declare(function: Transformation) -> OnDemandFeatureView:
        signature = signature_of(function)
        name = function.__name__
        if len(signature.inputs) != 1:
            raise DefinitionError(
                f"on-demand view {name!r} has {len(signature.inputs)} parameters, expected one: Frame[<request schema>]",
                hint="name stored features in the decorator: @on_demand_feature_view(sources=(view,), owner=...)",
            )
        request = signature.inputs[0]
        selections = tuple(s if isinstance(s, Selection) else s[s.feature_names] for s in views)
        seen = set(request.schema)
        for selection in selections:
            for feature in selection.names:
                if feature in seen:
                    raise DefinitionError(
                        f"on-demand view {name!r}: two inputs are named {feature!r}; one is from view "
                        f"{selection.view.name!r}",
                        hint="select other features, or rename the request's column",
                    )
                seen.add(feature)
        for column in (*request.columns, *signature.output.columns):
            if not column.description:
                raise DefinitionError(
                    f"on-demand view {name!r}, column {column.name!r}: the description is missing",
                    hint="write pa.Field(description=...) in its schema",
                )
            require_storable(f"on-demand view {name!r}", column)
        view = OnDemandFeatureView(
            name=name,
            function=function,
            sources=selections,
            request=request,
            contract=signature.output,
            description=signature.description,
            owner=owner,
            defined_in=signature.path,
        )
        _refuse_other_rows(view)
        return view

    return declare


def _refuse_other_rows(view: OnDemandFeatureView) -> None:
    inputs = pl.LazyFrame(schema=view.input_schema)
    try:
        plan = call(view.name, view.function, inputs)
    except DefinitionError:
        return  # the module may define below what the function calls; `check` runs it again and reports the error
    if (operation := operation_on_other_rows(plan, inputs)) is not None:
        raise DefinitionError(
            f"on-demand view {view.name!r} reads other rows than its own: {operation}",
            hint=OWN_ROW,
        )
