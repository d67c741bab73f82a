"""Join: the features of a service for more entity rows than memory holds, written to a file."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from featurestore.adapters.entity_files import is_file
from featurestore.errors import ContractError, StoreError
from featurestore.operations.historical import at_timestamp, entity_rows_of, timestamp_of
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.storage.row_sink import require_row_file, write_batches
from featurestore.timing.join import Status, status_column
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import ViewRows
    from featurestore.workspace import Workspace

JoinProgress: TypeAlias = "Callable[[str, int, int], None]"
MIN_BATCH_ROWS: Final = 1 << 14
MAX_BATCH_ROWS: Final = 1 << 20
# A value is in memory up to this many times at once, with its status: entity row, questions, answers, vector, output.
BYTES_A_VALUE: Final = 64


class JoinRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a join wrote.

    Attributes
    ----------
    service
        The name of the service, or of the request.
    path
        The file.
    rows
        Its rows: one for each entity row.
    columns
        Its columns.
    as_of
        The timestamp of all rows. None: each row has its own.
    statuses
        For each feature, the number of values with each status.
    """

    service: str
    path: str
    rows: int
    columns: tuple[str, ...]
    as_of: datetime | None
    statuses: dict[str, dict[str, int]]


def join(
    workspace: Workspace,
    entity_rows: Any,
    features: str | Sequence[str] | FeatureService,
    sink: Path | str,
    *,
    start: datetime | str | None = None,
    end: datetime | str | None = None,
    as_of: datetime | str | None = None,
    statuses: bool = False,
    times: bool = False,
    full_names: bool = False,
    progress: JoinProgress | None = None,
    batch_rows: int | None = None,
) -> JoinRecord:
    """Join features to entity rows as `historical` does, and write the result to a file, a batch of rows at a time.

    The rows and their order are those of `historical`. The file is replaced in one step: a join that fails leaves the
    old file.

    Parameters
    ----------
    entity_rows, features, start, end, as_of, statuses, times, full_names
        As of `featurestore.operations.historical.historical`. Files, SQL and lazy frames are never in memory as a whole.
    sink
        The file to write: .parquet, .csv or .jsonl.
    progress
        Called after each batch with the name of the service, the rows done, and all rows. It costs a pass over the entity
        rows, to count them.
    batch_rows
        Rows of a batch; None: as many as fit into the setting `memory`. The result does not depend on it.

    Raises
    ------
    ContractError
        If the entity rows cannot be used, or the format of the file is unknown or cannot hold a column.
    MissingDataError
        If a view is not built yet.
    SkewError
        If another definition made a view, or a dataset that the SQL reads.
    StoreError
        If the file cannot be written, or the rows of a view are replaced during the join.
    """
    path = Path(sink)
    require_row_file(path)
    _require_other_file(entity_rows, path)
    service = workspace.service(features, full_names=full_names)
    views = workspace.rows_of(service)
    timestamp = timestamp_of(workspace, as_of)
    rows = entity_rows_of(workspace, service, views, entity_rows, start=start, end=end, as_of=timestamp)
    memory = workspace.settings.memory
    size = _batch_rows(service, memory) if batch_rows is None else batch_rows
    check = RequestGate(service).check_frame
    names = service.full_names if full_names else {name: name for name in service.feature_names}
    counts: dict[str, Counter[int]] = {name: Counter() for name in names.values()}
    total = 0 if progress is None else rows.count()
    snapshot = _Snapshot(views)
    done = 0

    def joined(batch: pl.DataFrame) -> pl.DataFrame:
        nonlocal done
        with snapshot.unchanged(), _numbered_from(done):
            result = historical(
                at_timestamp(batch, timestamp),
                service,
                views,
                workspace.engine,
                check=check,
                statuses=True,
                times=times,
                full_names=full_names,
            )
        for name, counted in counts.items():
            counted.update(dict(result[status_column(name)].value_counts().rows()))
        done += batch.height
        if progress is not None:
            progress(service.name, done, total)
        return result if statuses else result.drop(map(status_column, counts))

    batches = rows.batches(size, memory=memory)
    # The errors of the request come before anything is written.
    first = joined(next(batches))

    def all_batches() -> Iterator[pl.DataFrame]:
        yield first
        yield from map(joined, batches)

    write_batches(all_batches, first.schema, path)
    return JoinRecord(
        service=service.name,
        path=str(path),
        rows=done,
        columns=tuple(first.columns),
        as_of=timestamp,
        statuses={
            name: {Status(status).name: count for status, count in sorted(counted.items())}
            for name, counted in counts.items()
        },
    )


class _Snapshot:
    """The files of views when a join begins: it refuses to join one half to other rows than the other half."""

    def __init__(self, views: Sequence[ViewRows]) -> None:
        self._files = {
            path: view.selection.view.name for view in views for path in (*view.files, *view.deleted)
        }
        self._states = {path: _state(path) for path in self._files}

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Refuse what the block read, if a file was replaced or removed until its end."""
        try:
            yield
        finally:
            for path, state in self._states.items():
                if _state(path) != state:
                    raise StoreError(
                        f"the rows of view {self._files[path]!r} were replaced during the join: {path}",
                        hint="run the join again",
                        retry=True,
                    )


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def _numbered_from(first: int) -> Iterator[None]:
    """Say in the errors of a later batch from which entity row on it counts rows."""
    try:
        yield
    except ContractError as error:
        if first == 0:
            raise
        raise ContractError(
            f"{error.message}; rows are counted from entity row {first:,} on",
            hint=error.hint,
            verdict=error.verdict,
        ) from error


def _require_other_file(entity_rows: Any, path: Path) -> None:
    if is_file(entity_rows) and Path(entity_rows).resolve() == path.resolve():
        raise ContractError(
            f"{path}: the result would replace the entity rows", hint="name another file for the result"
        )


def _batch_rows(service: FeatureService, memory: int) -> int:
    """Return how many entity rows take about half of `memory` MiB while they are joined."""
    columns = len(service.key_schema) + len(service.request_schema) + 1
    values = columns + len(service.feature_names) + sum(len(read.features) for read in service.reads)
    return min(max((memory << 19) // (BYTES_A_VALUE * values), MIN_BATCH_ROWS), MAX_BATCH_ROWS)
