"""The inputs of a function: the rows of the datasets that it reads, in an order that the rows decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.source import Source
from featurestore.storage.datasets import scan_dataset
from featurestore.values.bits import bits_of, has_floats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.definitions.catalog import Catalog, Derived, Node
    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.storage.layout import Layout


def inputs_of(
    derived: Derived | TrainingSet,
    catalog: Catalog,
    layout: Layout,
    *,
    prepare: Callable[[Node, pl.LazyFrame], pl.LazyFrame] = lambda _, rows: rows,
) -> list[pl.LazyFrame]:
    """Scan the inputs of a definition, in the order of its parameters.

    A raw file can have its rows in any order. The rows of a source are therefore sorted: by the key
    of its contract, or by all columns. Built datasets are in the order in which the build wrote them.

    Parameters
    ----------
    derived
        The definition whose function will read the inputs.
    catalog, layout
        The definitions of the project, and where its data are.
    prepare
        Changes the rows of an input before they are sorted.

    Raises
    ------
    MissingDataError
        If an input is not built yet.
    """
    scanned = ((node, prepare(node, scan_dataset(node, layout))) for node in catalog.inputs(derived))
    return [
        in_total_order(rows, node.contract) if isinstance(node, Source) else rows for node, rows in scanned
    ]


def in_total_order(rows: pl.LazyFrame, contract: Contract, first: Sequence[str] = ()) -> pl.LazyFrame:
    """Sort rows so that equal rows, in any order, become the same frame.

    Parameters
    ----------
    first
        Without a unique key: the columns to sort by first. All others follow.
    """
    # Under `warn` rows of one key pass the gate.
    if contract.key and contract.policy.on_invalid != "warn":
        return rows.sort(contract.key, maintain_order=True)
    schema = rows.collect_schema()
    names = dict.fromkeys((*first, *schema))
    # 0.0 and -0.0 are equal and have other bits, also inside lists and structs.
    bits = [bits_of(pl.col(name), schema[name]) for name in names if has_floats(schema[name])]
    return rows.sort([*map(pl.col, names), *bits], maintain_order=True)
