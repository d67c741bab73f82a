"""What a Feast repository defines, as plain records. This module does not import Feast."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

FileFormat = Literal["parquet", "csv", "delta"]


class FeastField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a schema.

    Attributes
    ----------
    value_type
        Name of Feast's value type, such as ``"INT64"``; ``"UNKNOWN"``: the file decides.
    """

    name: str
    value_type: str
    description: str = ""
    tags: dict[str, str] = {}


class FeastEntity(msgspec.Struct, frozen=True, kw_only=True):
    """An entity, which has one join key."""

    name: str
    key: str
    description: str = ""
    tags: dict[str, str] = {}


class FeastSource(msgspec.Struct, frozen=True, kw_only=True):
    """The batch source of a view.

    Attributes
    ----------
    kind
        Feast's class, such as ``"FileSource"``.
    path
        The file or folder; None: the rows are not in a file on this machine.
    uri
        The path as Feast has it.
    columns
        The name in the view of a column of the file, where Feast maps names.
    """

    name: str
    kind: str
    path: Path | None = None
    uri: str = ""
    format: FileFormat = "parquet"
    timestamp: str = ""
    created: str = ""
    columns: dict[str, str] = {}
    owner: str = ""
    description: str = ""


class FeastView(msgspec.Struct, frozen=True, kw_only=True):
    """A view with stored rows: a FeatureView, BatchFeatureView, StreamFeatureView or LabelView.

    Attributes
    ----------
    entities
        Names of the entities; empty: the view has one row for all.
    features
        Fields that are neither keys nor times; empty: all other columns of the file.
    online
        Whether Feast materializes it.
    stream
        Feast's class of the stream source, or an empty text.
    transformation
        Source text of a function that Feast runs on the rows, or an empty text.
    """

    name: str
    kind: str
    entities: tuple[str, ...]
    features: tuple[FeastField, ...]
    source: FeastSource | None
    ttl: timedelta | None = None
    online: bool = True
    stream: str = ""
    transformation: str = ""
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = {}


class FeastRead(msgspec.Struct, frozen=True, kw_only=True):
    """The features of one view that a service or an on-demand view reads.

    Attributes
    ----------
    keys
        The request column of a join key, where it has another name.
    """

    view: str
    features: tuple[str, ...]
    alias: str | None = None
    keys: dict[str, str] = {}


class FeastOnDemandView(msgspec.Struct, frozen=True, kw_only=True):
    """An on-demand view: its inputs, its features and the text of its function."""

    name: str
    mode: str
    reads: tuple[FeastRead, ...]
    request: tuple[FeastField, ...]
    features: tuple[FeastField, ...]
    code: str
    description: str = ""
    owner: str = ""


class FeastService(msgspec.Struct, frozen=True, kw_only=True):
    """A feature service."""

    name: str
    reads: tuple[FeastRead, ...]
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = {}


class FeastInventory(msgspec.Struct, frozen=True, kw_only=True):
    """All definitions of a Feast repository.

    Attributes
    ----------
    read_from
        ``"python"`` or ``"registry"``.
    """

    project: str
    repo: Path
    read_from: Literal["python", "registry"]
    entities: tuple[FeastEntity, ...]
    views: tuple[FeastView, ...]
    on_demand: tuple[FeastOnDemandView, ...]
    services: tuple[FeastService, ...]
