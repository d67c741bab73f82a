"""What an audit found, and the comparison of two sides, cell by cell."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from featurestore.errors import SkewError
from featurestore.operations.audit.causes import Cause
from featurestore.operations.check_leaks.record import utc_text
from featurestore.timing.join import Status, status_column
from featurestore.values.bits import bits
from featurestore.values.key_columns import select_columns
from featurestore.values.printable import value_text
from featurestore.values.wording import PERSONAL, counted, named_values

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    import polars as pl

MAX_SHOWN = 20
ONLINE = "online"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One cell on which the two sides disagree.

    Attributes
    ----------
    view
        The view, service or training set.
    key
        The keys and timestamp of the row, such as ``customer=3``; empty for a view without keys.
    offline
        What the historical join gives, now.
    online
        What the other side gives.
    path
        The other side: ``"online"`` (the store), a serving path (`featurestore.ports.ServingPath`), or
        ``"training set"`` (what was kept).
    cause
        Why they disagree.
    """

    view: str
    key: str
    feature: str
    offline: str
    online: str
    path: str = ONLINE
    cause: Cause = Cause.UNKNOWN

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.view, self.key, self.feature)))
        return f"{place}: offline {self.offline}, {self.path} {self.online}; cause: {self.cause.value}"


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared for one view, service or training set.

    Attributes
    ----------
    as_of
        The timestamp of both sides, in UTC; the last one, if there are several.
    path
        The side that was compared with the historical join, as of `Difference`.
    """

    name: str
    as_of: datetime
    rows: int
    cells: int
    mismatches: int
    path: str = ONLINE


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a parity audit. A cell is one feature of one key: its value and its status.

    Attributes
    ----------
    paths
        The rows of each service that were read through each serving path.
    training_sets
        The training sets that were joined again.
    differences
        The first cells that differ.
    definitions
        Digests of the definitions of the views and services, by name.
    """

    cells: int
    mismatches: int
    views: tuple[Compared, ...]
    services: tuple[Compared, ...]
    paths: tuple[Compared, ...] = ()
    training_sets: tuple[Compared, ...] = ()
    differences: tuple[Difference, ...] = ()
    definitions: dict[str, str] = {}

    @property
    def compared(self) -> tuple[Compared, ...]:
        """Everything that was compared, in the order in which it is printed."""
        return (*self.views, *self.services, *self.paths, *self.training_sets)

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that bring both sides together, unless the store, a view or a serving path is broken."""
        is_store_different = any(part.mismatches for part in (*self.views, *self.services, *self.paths))
        training_sets = [part.name for part in self.training_sets if part.mismatches]
        return (
            *(["featurestore materialize --full"] if is_store_different else []),
            *(f"featurestore training-set {name}" for name in training_sets),
        )

    def require_parity(self) -> None:
        """Raise if a cell differs.

        Raises
        ------
        SkewError
            If a cell differs; the message names view, key, feature, both values and the cause of the first such cells.
        """
        if self.mismatches:
            shown = "\n".join(f"  {difference}" for difference in self.differences)
            raise SkewError(
                f"{self.mismatches:,} of {counted(self.cells, 'cell')} differ between training and serving\n{shown}",
                hint=f"run: {' && '.join(self.commands)}; if cells still differ, the store, a view or a serving path "
                "is broken",
                commands=self.commands,
            )


def compare_cells(
    name: str,
    keys: Sequence[str],
    features: Sequence[str],
    *,
    offline: pl.DataFrame,
    served: pl.DataFrame,
    as_of: datetime,
    path: str = ONLINE,
    personal: Container[str],
    names: Mapping[str, str] | None = None,
    cause_of: Callable[[str, int], Cause] = lambda *_: Cause.UNKNOWN,
) -> tuple[Compared, list[Difference]]:
    """Compare vectors and their statuses row by row: those of the historical join with those that were served.

    Parameters
    ----------
    path
        The side that served, as of `Difference`.
    personal
        The columns whose values are not shown.
    names
        The name that is shown of each feature, if it is another one (`featurestore.definitions.vector.shown_names`).
    cause_of
        Returns why a cell differs, from its feature and the number of its row. Called for the cells that are shown.
    """
    mismatches = 0
    differences: list[Difference] = []
    for feature in features:
        status = status_column(feature)
        differs = differing_rows(feature, offline, served)
        mismatches += int(differs.sum())
        differences.extend(
            Difference(
                view=name,
                key=_key_text(select_columns(offline, keys), i, personal),
                feature=(names or {}).get(feature, feature),
                offline=f"{_shown(offline, feature, i, personal)} ({Status(offline[status][i]).name})",
                online=f"{_shown(served, feature, i, personal)} ({Status(served[status][i]).name})",
                path=path,
                cause=cause_of(feature, i),
            )
            for i in differs.arg_true().head(MAX_SHOWN - len(differences))
        )
    cells = offline.height * len(features)
    compared = Compared(
        name=name, as_of=as_of, rows=offline.height, cells=cells, mismatches=mismatches, path=path
    )
    return compared, differences


def _key_text(keys: pl.DataFrame, row: int, personal: Container[str]) -> str:
    values = keys.row(row, named=True)
    texts = {
        name: utc_text(value) if isinstance(value, datetime) else value for name, value in values.items()
    }
    return named_values(texts, keys.columns, personal)


def _shown(rows: pl.DataFrame, feature: str, row: int, personal: Container[str]) -> str:
    return PERSONAL if feature in personal else value_text(rows[feature][row])


def differing_rows(feature: str, offline: pl.DataFrame, served: pl.DataFrame) -> pl.Series:
    """Return for each row whether a feature differs between two frames of vectors: in its bits or in its status."""
    status = status_column(feature)
    return bits(offline[feature]).ne_missing(bits(served[feature])) | (offline[status] != served[status])
