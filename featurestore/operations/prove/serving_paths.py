"""The serving paths of Python: `get_online` and the vector reader (see `featurestore.ports.ServingPath`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.operations.get_online import get_online
from featurestore.operations.reader import reader
from featurestore.timing.join import status_column
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.answered import answered

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.workspace import Workspace


@dataclass(frozen=True)
class GetOnlinePath:
    """``project.get_online``: frames in, a frame out."""

    workspace: Workspace
    name: str = "get_online"

    def read(self, entity_rows: pl.DataFrame, service: FeatureService, as_of: datetime) -> pl.DataFrame:
        """Ask for the vector of each entity row. Errors as of `get_online`."""
        vectors = get_online(self.workspace, entity_rows, service, as_of=as_of, statuses=True)
        names = service.feature_names
        return vectors.select(*names, *map(status_column, names))


@dataclass(frozen=True)
class ReaderPath:
    """``project.reader``: dictionaries in, Python values out."""

    workspace: Workspace
    name: str = "reader"

    def read(self, entity_rows: pl.DataFrame, service: FeatureService, as_of: datetime) -> pl.DataFrame:
        """Ask for the vector of each entity row. Errors as of `VectorReader.read`."""
        rows = in_utc_zone(entity_rows).to_dicts()
        vectors = reader(self.workspace, service).read(rows, as_of=as_of)
        columns = []
        for position, (name, dtype) in enumerate(service.feature_schema.items()):
            columns.append(answered(self.name, name, [row[position] for row in vectors.values], dtype))
            statuses = [row[position] for row in vectors.statuses]
            columns.append(pl.Series(status_column(name), statuses, dtype=pl.UInt8))
        return pl.DataFrame(columns)
