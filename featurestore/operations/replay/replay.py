"""Replay: compare every logged vector with the historical join at the timestamp at which it was served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.vector import shown_names_of
from featurestore.errors import MissingDataError, SkewError
from featurestore.operations.audit.causes import Cause
from featurestore.operations.audit.record import (
    MAX_SHOWN,
    AuditRecord,
    Compared,
    Difference,
    compare_cells,
)
from featurestore.operations.release.releases import (
    RECORD,
    open_release,
    read_release,
    release_names,
    require_release,
)
from featurestore.operations.replay.causes import causes_of
from featurestore.storage import served_columns as columns
from featurestore.storage.parquet import scan_files
from featurestore.storage.served_log import files_by_definition, nothing_logged, served_files
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.workspace import Workspace

NEXT_STEPS = {
    Cause.LATE_DATA: "run: featurestore materialize; a view whose rows come late declares a delay",
    Cause.OTHER_DATA: "rows were built again since: replay the release that served, with --release",
    Cause.PUSHED: "run: featurestore materialize; a push that was interrupted is in the log, and not in the store",
    Cause.DELETED: "run: featurestore materialize; the store and the log disagree about a deletion",
    Cause.LOST_ROW: "run: featurestore materialize --full",
    Cause.STORE: "run: featurestore materialize --full; something else wrote to the store",
    Cause.REQUEST_VALUE: "the on-demand view or a request value in the log changed",
}


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Logged vectors that could not be recomputed.

    Attributes
    ----------
    release
        The release that served them; ``"working"``: the project itself.
    definition
        Digest of the service's definition that served them.
    vectors
        How many there are.
    cause
        Why they are left out: `Cause.OTHER_CODE`, because neither the release nor the project has this definition.
    """

    release: str
    definition: str
    vectors: int
    cause: Cause = Cause.OTHER_CODE

    @property
    def is_of_project(self) -> bool:
        """Whether the project itself served them, without a release."""
        return self.release == columns.WORKING


class ReplayRecord(AuditRecord, frozen=True, kw_only=True):
    """The result of a replay. A cell is one feature of one vector: its value and its status.

    Attributes
    ----------
    vectors
        Vectors that were recomputed.
    causes
        How many cells differ, by cause. Those of stale answers are counted here and not as mismatches: the answer was
        marked.
    stale
        Vectors that came from the cache of last known values, and were marked as stale.
    in_flight
        Vectors that were asked for while a push or a deletion was written, and show the state before it.
    left_out
        Vectors of other definitions.
    """

    vectors: int
    causes: dict[Cause, int]
    stale: int
    in_flight: int
    left_out: tuple[LeftOut, ...]

    def require_parity(self) -> None:
        """Raise if a cell differs, unless the answer was marked as stale.

        Raises
        ------
        SkewError
            If a cell differs; the message counts the causes and names the first such cells.
        """
        if not self.mismatches:
            return
        causes = {cause: count for cause, count in self.causes.items() if cause is not Cause.STALE_ANSWER}
        by_cause = ", ".join(f"{cause.value} {count:,}" for cause, count in causes.items())
        shown = "\n".join(f"  {difference}" for difference in self.differences)
        steps = dict.fromkeys(NEXT_STEPS[cause] for cause in causes if cause in NEXT_STEPS)
        raise SkewError(
            f"{self.mismatches:,} of {counted(self.cells, 'cell')} differ between training and serving: {by_cause}\n{shown}",
            hint="; ".join(steps) or "the store or a view is broken: run: featurestore audit",
        )


def replay(
    workspace: Workspace, features: str | FeatureService, *, release: str | None = None
) -> ReplayRecord:
    """Compare the served log with the historical join: values bit for bit, and statuses.

    Each vector is recomputed with the definitions and features of the release that served it, so that a release replays
    after the next one was made. Vectors of a removed release are recomputed by the project, if its definition of the
    service is the same. Vectors of other definitions are counted, and not compared.

    Parameters
    ----------
    features
        A feature service or its name.
    release
        The name of a release: only what it served. None: everything that the project and its releases served; in the
        folder of a release, what it served.

    Raises
    ------
    MissingDataError
        If no vector was logged, or none that can be recomputed.
    UnknownNameError
        If the service or the release does not exist.
    SkewError
        If the definitions of a release were changed after it was made: they are not what served.
    """
    name = features if isinstance(features, str) else features.name
    files = served_files(name, workspace.layout)
    files_of = files_by_definition(files)
    if release is not None and not any(made_by == release for made_by, _ in files_of):
        require_release(workspace.layout, release)  # the log has vectors of releases that were removed
    elif release is None and (workspace.root / RECORD).exists():
        release = open_release(workspace, workspace.root)[1].name
    if not files:
        workspace.service(features)  # an unknown name is named
        raise nothing_logged(name, workspace.layout, "yet")
    parts: list[_Part] = []
    left_out: list[LeftOut] = []
    for (made_by, digest), paths in files_of.items():
        if release is not None and made_by != release:
            continue
        # Older files lack the columns that name the state of the store.
        rows = pl.concat([scan_files(path) for path in paths], how="diagonal")
        served_by = _workspace_of(workspace, made_by, name, digest)
        if served_by is None:
            count = rows.select(pl.len()).collect().item()
            left_out.append(LeftOut(release=made_by, definition=digest, vectors=count))
        else:
            served = rows.sort(EVENT_TIMESTAMP, columns.REQUEST_ID, maintain_order=True).collect()
            parts.append(_replay(served_by, served_by.service(name), served))
    if not parts:
        which = "of this definition" if release is None else f"by release {release}"
        others = sum(part.vectors for part in left_out)
        raise nothing_logged(name, workspace.layout, f"{which}; vectors of other definitions: {others:,}")
    return _combined(parts, tuple(left_out))


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one release, or the project itself, served."""

    compared: Compared
    causes: dict[Cause, int]
    stale: int
    in_flight: int
    differences: list[Difference]


def _combined(parts: list[_Part], left_out: tuple[LeftOut, ...]) -> ReplayRecord:
    causes: dict[Cause, int] = {}
    for part in parts:
        for cause, count in part.causes.items():
            causes[cause] = causes.get(cause, 0) + count
    services = tuple(part.compared for part in parts)
    return ReplayRecord(
        cells=sum(compared.cells for compared in services),
        mismatches=sum(compared.mismatches for compared in services),
        views=(),
        services=services,
        differences=tuple(difference for part in parts for difference in part.differences)[:MAX_SHOWN],
        vectors=sum(compared.rows for compared in services),
        causes=causes,
        stale=sum(part.stale for part in parts),
        in_flight=sum(part.in_flight for part in parts),
        left_out=left_out,
    )


def _replay(workspace: Workspace, service: FeatureService, served: pl.DataFrame) -> _Part:
    result = causes_of(workspace, service, served)
    compared, differences = compare_cells(
        service.name,
        (*service.key_schema, EVENT_TIMESTAMP),
        service.feature_names,
        offline=result.offline,
        served=served,
        as_of=served[EVENT_TIMESTAMP][-1],
        personal=service.personal,
        names=shown_names_of(service),
        cause_of=lambda feature, row: result.causes[feature, row],
    )
    counts: dict[Cause, int] = {}
    for cause in result.causes.values():
        counts[cause] = counts.get(cause, 0) + 1
    mismatches = sum(counts.values()) - counts.get(Cause.STALE_ANSWER, 0)
    return _Part(
        compared=msgspec.structs.replace(compared, mismatches=mismatches),
        causes=counts,
        stale=int(served[columns.STALE].sum()),
        in_flight=result.in_flight,
        differences=differences,
    )


def _workspace_of(workspace: Workspace, release: str, service: str, digest: str) -> Workspace | None:
    """Return what recomputes the vectors of a release: the first that has the definition of the service.

    Candidates are the release, the project, and the other releases, newest first.
    """
    layout = workspace.layout
    names = release_names(layout)
    having = [
        name
        for name in reversed(names)
        if read_release(layout.releases / name).services.get(service) == digest
    ]
    if release in having:
        return open_release(workspace, layout.releases / release)[0]
    known = _as_served(workspace, service)
    if (
        known is not None
        and fingerprint(known).digest == digest
        and (not having or _is_built(workspace, known))
    ):
        return workspace
    return open_release(workspace, layout.releases / having[0])[0] if having else None


def _as_served(workspace: Workspace, service: str) -> FeatureService | None:
    """Return a service as the project would serve it; None: there is none, or its steps have to be fitted again."""
    try:
        return workspace.fitted(workspace.catalog.services[service])
    except (KeyError, MissingDataError, SkewError):
        return None


def _is_built(workspace: Workspace, service: FeatureService) -> bool:
    """Return whether the rows in place are those of the definitions: they can be of another branch."""
    try:
        workspace.rows_of(service)
    except (MissingDataError, SkewError):
        return False
    return True
