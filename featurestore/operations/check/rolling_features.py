"""Rolling features: which features stand between the events of their key, although they are about a span of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.definitions.call import call
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.rolled import rolled_columns

if TYPE_CHECKING:
    from featurestore.definitions.rolled import Rolled
    from featurestore.workspace import Workspace


@dataclass(frozen=True)
class RollingFeature:
    """A feature that `rolling` or `group_by_dynamic` computes at each event, and that is served until the next one.

    Attributes
    ----------
    view, feature
        The names of the view and of the feature.
    operation
        What computes it in Polars, such as ``"rolling"`` or ``"rolling_sum_by"``.
    """

    view: str
    feature: str
    operation: str

    def __str__(self) -> str:
        return (
            f"{self.view}.{self.feature}: {self.operation} computes it at each event, and the value stands until the next one\n"
            f"  hint: declare it in windows={{...}} of @feature_view, so that it slides to the time of each read (see the guide "
            f'"Use windows"); if the value at the event is meant, write metadata={{"as_of_event": True}} in the schema'
        )


def rolling_features(workspace: Workspace) -> tuple[RollingFeature, ...]:
    """Find features that are computed by `rolling` or `group_by_dynamic`, in their view or in a dataset before it.

    Features that their schema marks ``as_of_event`` are left out, and so are the events of windows.

    Raises
    ------
    DefinitionError
        If a function fails on empty frames.
    """
    catalog = workspace.catalog
    rolled: dict[str, Rolled] = {}
    features: list[RollingFeature] = []
    for derived in catalog.build_order():
        frames = [
            (contract.empty(), rolled.get(catalog.producer(contract).name, {})) for contract in derived.inputs
        ]
        plan = call(derived.name, derived.function, *(frame for frame, _ in frames))
        columns = rolled[derived.name] = rolled_columns(plan, frames)
        if isinstance(derived, FeatureView) and not derived.windows:
            features += [
                RollingFeature(derived.name, column.name, columns[column.name])
                for column in derived.features
                if column.name in columns and not column.as_of_event
            ]
    return tuple(features)
