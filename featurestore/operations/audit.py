"""The parity audit: every cell of the online store against the historical join at the same moment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.errors import MissingDataError, SkewError
from featurestore.operations.build import scan
from featurestore.operations.get_online import online
from featurestore.storage.views import rows_of
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import timestamp_of
from featurestore.timing.join import Status, read_at, status_column
from featurestore.values.codec import decode_keys, decode_rows, is_tombstone
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.historical import historical
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import ComputeEngine, OnlineStore
    from featurestore.storage.layout import Layout

MAX_SHOWN = 20
SAMPLE_ROWS = 2_000
BATCH_ROWS = 97  # not a divisor of the sample: on-demand features must not depend on how rows are batched


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One cell on which the two sides disagree."""

    view: str
    key: str
    feature: str
    offline: str
    online: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared for one view or service."""

    name: str
    moment: datetime
    rows: int
    cells: int
    mismatches: int


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of a parity audit. A cell is one feature of one key: its value and its status."""

    cells: int
    mismatches: int
    views: tuple[Compared, ...]
    services: tuple[Compared, ...]
    differences: tuple[Difference, ...]

    def require_parity(self) -> None:
        """Raise if anything differs.

        Raises
        ------
        SkewError
            Naming view, key, feature and both values of the first differing cells.
        """
        if self.mismatches:
            shown = "\n".join(
                f"  {d.view} {d.key} {d.feature}: offline {d.offline}, online {d.online}"
                for d in self.differences
            )
            raise SkewError(
                f"{self.mismatches:,} of {self.cells:,} cells differ between training and serving\n{shown}",
                hint="materialize again; if they still differ, the store or a view is broken",
            )


def audit(
    views: Iterable[FeatureView],
    services: Iterable[tuple[FeatureService, pl.DataFrame]],
    layout: Layout,
    engine: ComputeEngine,
    store: OnlineStore,
) -> AuditRecord:
    """Compare the online store with the historical join, cell by cell, values bit for bit and statuses.

    Parameters
    ----------
    views
        For each, every key of the store and every key known offline is compared, at the store's watermark.
    services
        Services and rows to ask them for; their vectors, on-demand features included, are compared too.

    Raises
    ------
    MissingDataError
        If a view is not built or not materialized.
    """
    compared, vectors, differences = [], [], []
    for view in views:
        result, found = _audit_view(view, layout, engine, store)
        compared.append(result)
        differences += found
    for service, rows in services:
        result, found = _audit_service(service, rows, layout, engine, store)
        vectors.append(result)
        differences += found
    every = [*compared, *vectors]
    return AuditRecord(
        cells=sum(part.cells for part in every),
        mismatches=sum(part.mismatches for part in every),
        views=tuple(compared),
        services=tuple(vectors),
        differences=tuple(differences[:MAX_SHOWN]),
    )


def watermark(view: FeatureView, store: OnlineStore) -> datetime:
    """Return the moment at which the online store stands for a view."""
    state = store.state(view.name)
    if state is None:
        raise MissingDataError(
            f"view {view.name!r} is not in the online store", hint="run: featurestore materialize"
        )
    return timestamp_of(state.watermark)


def _audit_view(
    view: FeatureView, layout: Layout, engine: ComputeEngine, store: OnlineStore
) -> tuple[Compared, list[Difference]]:
    moment = watermark(view, store)
    check_state(view, store.state(view.name), moment)
    held = list(store.scan(view.name))
    pairs = [pair for pair in held if not is_tombstone(pair[1])]
    deleted = decode_keys((key for key, row in held if is_tombstone(row)), view.key_schema)
    keys = decode_keys((key for key, _ in pairs), view.key_schema)
    instant = pl.lit(moment, dtype=UTC_MICROSECONDS)
    stored = keys.hstack(
        read_at(
            decode_rows([row for _, row in pairs], view.feature_schema).lazy(),
            features=view.feature_names,
            timing=view.timing,
            as_of=instant,
        ).collect()
    )
    everyone = pl.concat([keys, scan(view, layout).select(view.keys).collect()]).unique().sort(view.keys)
    # What was deleted online is not served; that nothing is, the store's own suite shows.
    everyone = everyone.join(deleted, on=list(view.keys), how="anti", maintain_order="left")
    asked = everyone.with_columns(instant.alias(EVENT_TIMESTAMP))
    expected = engine.historical(asked, [rows_of(view[view.feature_names], layout)])
    absent = pl.lit(Status.NOT_FOUND.value, dtype=pl.UInt8)
    served = everyone.join(stored, on=list(view.keys), how="left", maintain_order="left").with_columns(
        pl.col(status_column(name)).fill_null(absent) for name in view.feature_names
    )
    return compare(view.name, view.keys, view.feature_names, offline=expected, served=served, moment=moment)


def _audit_service(
    service: FeatureService, rows: pl.DataFrame, layout: Layout, engine: ComputeEngine, store: OnlineStore
) -> tuple[Compared, list[Difference]]:
    moment = max(watermark(selection.view, store) for selection in service.reads)
    asked = rows.tail(SAMPLE_ROWS).select(*service.key_schema, *service.request_schema)
    offline = historical(
        asked.with_columns(pl.lit(moment, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP)),
        service,
        [rows_of(selection, layout) for selection in service.reads],
        engine,
        statuses=True,
    )
    served = pl.concat(
        online(batch, service, store, moment=moment, statuses=True) for batch in asked.iter_slices(BATCH_ROWS)
    )
    return compare(
        service.name,
        tuple(service.key_schema),
        service.feature_names,
        offline=offline,
        served=served,
        moment=moment,
    )


def compare(
    name: str,
    keys: Sequence[str],
    features: Sequence[str],
    *,
    offline: pl.DataFrame,
    served: pl.DataFrame,
    moment: datetime,
) -> tuple[Compared, list[Difference]]:
    """Compare vectors and their statuses, offline and as served, row by row; some differences are shown."""
    mismatches = 0
    differences: list[Difference] = []
    for feature in features:
        status = status_column(feature)
        differs = _bits(offline[feature]).ne_missing(_bits(served[feature])) | (
            offline[status] != served[status]
        )
        mismatches += int(differs.sum())
        differences.extend(
            Difference(
                view=name,
                key=repr(dict(zip(keys, offline.select(keys).row(i), strict=True))),
                feature=feature,
                offline=f"{offline[feature][i]!r} ({Status(offline[status][i]).name})",
                online=f"{served[feature][i]!r} ({Status(served[status][i]).name})",
            )
            for i in differs.arg_true().head(MAX_SHOWN - len(differences))
        )
    cells = offline.height * len(features)
    return Compared(
        name=name, moment=moment, rows=offline.height, cells=cells, mismatches=mismatches
    ), differences


def _bits(values: pl.Series) -> pl.Series:
    # Floats are compared as bits: equality calls 0.0 and -0.0 the same.
    if isinstance(values.dtype, pl.Float32):
        return values.reinterpret(dtype=pl.UInt32)
    if isinstance(values.dtype, pl.Float64):
        return values.reinterpret(dtype=pl.UInt64)
    if isinstance(values.dtype, pl.Array):
        return _bits(values.arr.to_list())
    if isinstance(values.dtype, pl.List) and values.dtype.inner.is_float():
        bits = pl.UInt32 if values.dtype.inner == pl.Float32 else pl.UInt64
        return values.list.eval(pl.element().reinterpret(dtype=bits))
    return values
