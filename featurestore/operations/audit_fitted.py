"""Audit of a fitted state: it is fitted again to the kept training rows, and each number compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from featurestore.operations.audit_record import Compared, Difference
from featurestore.operations.cause import Cause
from featurestore.operations.fit import SPLIT, fitted_state, is_fitted
from featurestore.storage.files import scan_parquet
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.preprocessing.state import FittedState, FittedStep
    from featurestore.workspace import Workspace

PATH: Final = "fitted state"
_STATE: Final = "(state)"
MAX_TEXT: Final = 200


def audit_fitted(workspace: Workspace, training: TrainingSet) -> tuple[Compared, list[Difference]]:
    """Fit the steps of a service to the kept rows of its training set, and compare with the state that is served.

    The rows of the certificate must be these rows, and none of them may be in another split. A cell is what one step
    learned about one column.

    Raises
    ------
    MissingDataError
        If the training set is not built, or its state is missing.
    SkewError
        If the state is of another definition of the service, or was edited.
    """
    path = workspace.layout.training(training.name)
    rows = scan_parquet(path, made_by=f"featurestore training-set {training.name}").collect()
    served = workspace.fitted(training.service).fitted
    assert served is not None, "the service of a training set that fits has steps"  # noqa: S101 - for the type
    now = fitted_state(training, rows)
    differences = [
        _difference(training, name, before, after)
        for name, before, after in (*_certificate(served, now), *_columns(served, now))
        if before != after
    ]
    if count := _in_two_splits(training, rows):
        differences.append(
            _difference(training, SPLIT, "rows in one split", f"{count:,} training rows in two")
        )
    compared = Compared(
        name=training.name,
        as_of=rows.select(pl.col(EVENT_TIMESTAMP).max()).item() or EPOCH,
        rows=now.certificate.rows,
        cells=sum(len(step.columns) for step in now.steps),
        mismatches=len(differences),
        path=PATH,
    )
    return compared, differences


def _certificate(served: FittedState, now: FittedState) -> Iterator[tuple[str, str, str]]:
    for name in ("rows", "digest", "split", "training_set"):
        yield (
            f"certificate: {name}",
            f"{getattr(served.certificate, name)}",
            f"{getattr(now.certificate, name)}",
        )


def _columns(served: FittedState, now: FittedState) -> Iterator[tuple[str, str, str]]:
    for before, after in zip(served.steps, now.steps, strict=True):
        for column in dict.fromkeys((*before.columns, *after.columns)):
            yield f"{column}, {after.step}", _text(before, column), _text(after, column)


def _text(step: FittedStep, column: str) -> str:
    state = step.columns.get(column)
    return "nothing" if state is None else msgspec.json.encode(state).decode()


def _in_two_splits(training: TrainingSet, rows: pl.DataFrame) -> int:
    """Count the training rows that are also in another split, with the same values."""
    if SPLIT not in rows.columns:
        return 0
    columns = [column.name for column in training.contract.columns if column.name in rows.columns]
    mask = is_fitted(rows)
    return rows.filter(mask).join(rows.filter(~mask), on=columns, how="semi", nulls_equal=True).height


def _difference(training: TrainingSet, feature: str, before: str, after: str) -> Difference:
    return Difference(
        view=training.name,
        key=_STATE,
        feature=feature,
        offline=after[:MAX_TEXT],
        online=before[:MAX_TEXT],
        path=PATH,
        cause=Cause.OTHER_DATA,
    )
