"""The inputs of a feature view, cut to what was known by a timestamp, and the view built from them in memory.

The lineage of a view is followed up to the first datasets that know when their rows become known. Datasets between
these and the view are computed again from the cut rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.call import run
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.known import (
    FROM_THE_START,
    NEVER,
    Known,
    known_of_columns,
    known_of_rows,
)
from featurestore.definitions.source import Source
from featurestore.operations.build.inputs import in_total_order
from featurestore.operations.check.timeless import (
    STATIC,
    UNPROVEN,
    digests_of,
    kind_of,
    known_text,
    leaf_nodes,
)
from featurestore.quality.gate.casting import cast_known_columns
from featurestore.storage.datasets import scan_dataset
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.known_at import created_or_event, known_at
from featurestore.values.bits import bits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from featurestore.definitions.catalog import Catalog, Derived, Node
    from featurestore.storage.layout import Layout

KNOWN: Final = "__known"


@dataclass(frozen=True)
class Leaf:
    """A dataset at which the inputs of a view are cut.

    Attributes
    ----------
    frame
        The rows in the order in which functions read them, and as integers when they become known: the row in the
        column `KNOWN`, each group of columns in a column of its own. A group is never known before its row.
    groups
        The columns of each group, by the name of the column that says when they become known.
    timeless
        Why all rows are taken as known from the start (`featurestore.operations.check.timeless`). None: timestamps tell when.
    """

    node: Node
    frame: pl.DataFrame
    groups: Mapping[str, tuple[str, ...]]
    timeless: str | None = None

    @property
    def is_static(self) -> bool:
        """Whether all its values are known from the start."""
        return not self.groups and bool((self.frame[KNOWN] == FROM_THE_START).all())

    def cut(self, limit: int) -> pl.LazyFrame:
        """Return the rows that are known at a limit; columns that are known later are null."""
        return cut(self.frame.lazy(), self, pl.lit(limit, dtype=pl.Int64))


def cut(rows: pl.LazyFrame, leaf: Leaf, limit: pl.Expr) -> pl.LazyFrame:
    """Drop rows of a leaf that become known after a limit, and blank columns that do; the columns of the dataset remain."""
    later = {name: group for group, names in leaf.groups.items() for name in names}
    columns = [name for name in leaf.node.contract.schema if name in rows.collect_schema()]
    return rows.filter(pl.col(KNOWN) <= limit).select(
        pl.when(pl.col(later[name]) <= limit).then(pl.col(name)).alias(name) if name in later else name
        for name in columns
    )


@dataclass(frozen=True)
class Lineage:
    """A feature view, and the datasets at which its inputs are cut, by name."""

    view: FeatureView
    catalog: Catalog
    leaves: Mapping[str, Leaf]
    digests: dict[str, str]

    @property
    def known(self) -> dict[str, str]:
        """When values of each leaf become known, in words."""
        return {name: known_text(leaf.node) for name, leaf in self.leaves.items()}

    @property
    def unproven(self) -> tuple[str, ...]:
        """The datasets of which nothing tells when their rows become known."""
        return tuple(name for name, leaf in self.leaves.items() if leaf.timeless == UNPROVEN)

    @property
    def static(self) -> tuple[str, ...]:
        """The datasets that are declared as facts known before the first row."""
        return tuple(name for name, leaf in self.leaves.items() if leaf.timeless == STATIC)

    @property
    def is_direct(self) -> bool:
        """Whether the view reads all leaves itself, without datasets between."""
        return {node.name for node in self.catalog.inputs(self.view)} == set(self.leaves)

    def build(self, frames: Mapping[str, pl.LazyFrame]) -> pl.DataFrame:
        """Build the rows of the view from frames of the leaves, cast to the contract, with `KNOWN`.

        Raises
        ------
        DefinitionError
            If a function fails on these rows.
        """
        rows = cast_known_columns(self._rows(self.view, frames).lazy(), self.view.contract)
        if self.view.timing.created:
            rows = rows.with_columns(created_or_event(self.view.timing).alias(CREATED_TIMESTAMP))
        known = known_at(self.view.timing).dt.epoch("us").fill_null(NEVER)
        return rows.select(*self.view.contract.schema, known.alias(KNOWN)).collect()

    def build_at(self, limit: int) -> pl.DataFrame:
        """Build the rows of the view from what is known at a limit."""
        return self.build({name: leaf.cut(limit) for name, leaf in self.leaves.items()})

    def _rows(self, derived: Derived, frames: Mapping[str, pl.LazyFrame]) -> pl.DataFrame:
        inputs = []
        for node in self.catalog.inputs(derived):
            if node.name in frames:
                inputs.append(frames[node.name])
                continue
            rows = cast_known_columns(self._rows(node, frames).lazy(), node.contract)  # type: ignore[arg-type]
            key = node.contract.key
            inputs.append(rows.sort(key, maintain_order=True) if key else rows)
        return run(derived.name, derived.function, *inputs)


def lineage_of(view: FeatureView, catalog: Catalog, layout: Layout) -> Lineage:
    """Find the datasets at which the inputs of a view are cut, and read their rows.

    Raises
    ------
    MissingDataError
        If a dataset is not built yet.
    SkewError
        If another definition of a dataset made its rows.
    DefinitionError
        If a schema declares what cannot be read (`featurestore.definitions.known`).
    """
    nodes = leaf_nodes(view, catalog)
    digests = digests_of(nodes, layout)
    return Lineage(view, catalog, {node.name: _leaf(node, layout) for node in nodes}, digests)


def _leaf(node: Node, layout: Layout) -> Leaf:
    rows = scan_dataset(node, layout)
    if isinstance(node, Source):
        rows = in_total_order(rows, node.contract)
    if isinstance(node, FeatureView):
        known = known_at(node.timing).dt.epoch("us").fill_null(NEVER)
        return Leaf(node, rows.with_columns(known.alias(KNOWN)).collect(), {})
    of_rows = known_of_rows(node.contract)
    by_declaration: dict[Known, list[str]] = {}
    for name, column_known in known_of_columns(node.contract).items():
        if column_known != Known():  # never later than its row
            by_declaration.setdefault(column_known, []).append(name)
    groups = {f"{KNOWN}_{i}": tuple(names) for i, names in enumerate(by_declaration.values())}
    row = (of_rows or Known()).timestamp()
    timestamps = [
        pl.max_horizontal(row, column_known.timestamp()).alias(group)
        for group, column_known in zip(groups, by_declaration, strict=True)
    ]
    frame = rows.with_columns(row.alias(KNOWN), *timestamps).collect()
    return Leaf(node, frame, groups, kind_of(node.contract))


def version_names(view: FeatureView) -> list[str]:
    """Return the columns that identify a row of a view."""
    created = [CREATED_TIMESTAMP] if view.timing.created else []
    return [*view.keys, EVENT_TIMESTAMP, *created]


def different_rows(
    first: pl.DataFrame,
    second: pl.DataFrame,
    *,
    by: Callable[[str], bool] = lambda _: True,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of each frame that the other one lacks, by the bits of the columns that `by` accepts."""
    names = [name for name in first.columns if by(name)]
    frames = [
        frame.with_columns(
            bits_of(pl.col(name), frame.schema[name]).alias(f"__{i}") for i, name in enumerate(names)
        )
        for frame in (first, second)
    ]
    on = [f"__{i}" for i in range(len(names))]
    missing = [
        a.join(b, on=on, how="anti", nulls_equal=True).drop(on)
        for a, b in ((frames[0], frames[1]), (frames[1], frames[0]))
    ]
    return missing[0], missing[1]
