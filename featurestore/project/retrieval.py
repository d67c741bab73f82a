"""Historical retrieval, as a method of the project: to memory, or to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from featurestore.operations.audit_set.audit_set import audit_set
from featurestore.operations.historical import historical
from featurestore.operations.join import JoinRecord, join
from featurestore.values.checked_calls import checked_methods

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.operations.audit_set.record import SetRecord
    from featurestore.operations.join import JoinProgress
    from featurestore.workspace import Workspace


@checked_methods
class Retrieval:
    """The base of `featurestore.Project` that joins features to entity rows.

    Parameters
    ----------
    workspace
        The settings, definitions, data and adapters of the project.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def service(self, features: str | Sequence[str] | FeatureService) -> FeatureService:
        """Return a feature service as it is served: with what its steps learned."""
        return self._workspace.service(features)

    def audit_set(self, rows: Any, service: str | FeatureService) -> SetRecord:
        """Compare a training set that another tool made with what serving would have given, cell by cell."""
        return audit_set(self._workspace, rows, service)

    @overload
    def historical(
        self,
        entity_rows: Any = None,
        features: str | Sequence[str] | FeatureService = (),
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        as_of: datetime | str | None = None,
        statuses: bool = False,
        times: bool = False,
        full_names: bool = False,
        sink: None = None,
    ) -> pl.DataFrame: ...

    @overload
    def historical(
        self,
        entity_rows: Any = None,
        features: str | Sequence[str] | FeatureService = (),
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        as_of: datetime | str | None = None,
        statuses: bool = False,
        times: bool = False,
        full_names: bool = False,
        sink: Path | str,
        progress: JoinProgress | None = None,
    ) -> JoinRecord: ...

    def historical(
        self,
        entity_rows: Any = None,
        features: str | Sequence[str] | FeatureService = (),
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        as_of: datetime | str | None = None,
        statuses: bool = False,
        times: bool = False,
        full_names: bool = False,
        sink: Path | str | None = None,
        progress: JoinProgress | None = None,
    ) -> pl.DataFrame | JoinRecord:
        """Join features to entity rows, each at its ``event_timestamp``, as they were known then.

        Parameters
        ----------
        entity_rows
            A frame of Polars, pandas or Arrow; the path of a file (Parquet, CSV, JSON lines); or SQL over the project's
            datasets. None: every key, at every timestamp after `start` and up to `end` at which a row of a feature became
            known.
        features
            A feature service or its name; or a list of ``"view:feature"`` and ``"view"``.
        start, end
            Only without entity rows; `end` is the current time, if none is given.
        as_of
            One timestamp for all entity rows, which have none of their own; ``"now"``: the current time.
        statuses, times, full_names
            See `featurestore.vectors.historical.historical`.
        sink
            A file to write in place of a frame: .parquet, .csv or .jsonl. Entity rows larger than memory work.
        progress
            Only with `sink`. Called with the name of the service, the rows done, and all rows.
        """
        if sink is None:
            return historical(
                self._workspace,
                entity_rows,
                features,
                start=start,
                end=end,
                as_of=as_of,
                statuses=statuses,
                times=times,
                full_names=full_names,
            )
        return join(
            self._workspace,
            entity_rows,
            features,
            sink,
            start=start,
            end=end,
            as_of=as_of,
            statuses=statuses,
            times=times,
            full_names=full_names,
            progress=progress,
        )
