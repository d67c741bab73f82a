"""Read a Feast repository: its Python modules, or its registry where it has no modules."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from feast import FeatureStore
from feast.batch_feature_view import BatchFeatureView
from feast.data_format import DeltaFormat
from feast.data_source import PushSource, RequestSource
from feast.feature_view import DUMMY_ENTITY_NAME
from feast.infra.offline_stores.file_source import FileSource
from feast.labeling.label_view import LabelView
from feast.repo_config import RepoConfig, load_repo_config
from feast.repo_operations import get_repo_files, parse_repo

from featurestore.adapters.feast.inventory import (
    FeastEntity,
    FeastField,
    FeastInventory,
    FeastOnDemandView,
    FeastRead,
    FeastService,
    FeastSource,
    FeastView,
    FileFormat,
)
from featurestore.errors import ConfigError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = "feature_store.yaml"


class FeastRepository:
    """The definitions of a Feast repository.

    Parameters
    ----------
    folder
        The folder of ``feature_store.yaml``.

    Raises
    ------
    ConfigError
        If the folder has no readable ``feature_store.yaml``.
    DefinitionError
        If a module of the repository cannot be imported, or nothing is defined.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.config = _config(self.folder)
        self.objects = self._objects()

    def _objects(self) -> list[Any]:
        self.read_from = "python"
        if get_repo_files(self.folder):
            objects = _parsed(self.folder)
            if objects:
                return objects
        self.read_from = "registry"
        objects = _registered(self.config, self.folder)
        if not objects:
            raise DefinitionError(
                f"{self.folder}: Feast finds no entity, view or service, in modules or in the registry",
                hint=f"name the folder of {SETTINGS} whose modules define them",
            )
        return objects

    def inventory(self) -> FeastInventory:
        """Return all definitions as plain records, in the order of their names."""
        # A module that is imported under two names defines its objects twice.
        unique = {(type(o).__name__, o.name): o for o in reversed(self.objects)}
        named = sorted(unique.values(), key=lambda o: o.name)
        entities = {o.name: o for o in named if type(o).__name__ == "Entity"}
        views = [o for o in named if _is_stored(o)]
        return FeastInventory(
            project=self.config.project,
            repo=self.folder,
            read_from="python" if self.read_from == "python" else "registry",
            entities=tuple(
                FeastEntity(name=o.name, key=o.join_key, description=o.description, tags=dict(o.tags))
                for o in entities.values()
                if o.name != DUMMY_ENTITY_NAME
            ),
            views=tuple(self._view(o, entities) for o in views),
            on_demand=tuple(_on_demand(o) for o in named if type(o).__name__ == "OnDemandFeatureView"),
            services=tuple(_service(o) for o in named if type(o).__name__ == "FeatureService"),
        )

    def _view(self, view: Any, entities: dict[str, Any]) -> FeastView:
        source = view.source if isinstance(view, LabelView) else view.batch_source
        stream = getattr(view, "stream_source", None)
        if isinstance(source, PushSource):
            source, stream = source.batch_source, source
        names = tuple(name for name in view.entities if name != DUMMY_ENTITY_NAME)
        keys = {entities[name].join_key for name in names if name in entities}
        times = set() if source is None else {source.timestamp_field, source.created_timestamp_column}
        transformation = getattr(view, "feature_transformation", None)
        return FeastView(
            name=view.name,
            kind=type(view).__name__,
            entities=names,
            features=tuple(_field(f) for f in view.features if f.name not in keys | times),
            source=None if source is None else self._source(source),
            ttl=view.ttl or None,
            online=bool(view.online) and not isinstance(view, LabelView),
            stream="" if stream is None else type(stream).__name__,
            transformation=getattr(transformation, "udf_string", "") or "",
            description=view.description,
            owner=view.owner,
            tags=dict(view.tags),
        )

    def _source(self, source: Any) -> FeastSource:
        kind = type(source).__name__
        uri = source.path if isinstance(source, FileSource) else ""
        return FeastSource(
            name=source.name,
            kind=kind,
            path=_local(uri, self.folder),
            uri=uri,
            format=_format(source, uri),
            timestamp=source.timestamp_field or "",
            created=source.created_timestamp_column or "",
            columns=dict(source.field_mapping or {}),
            owner=source.owner,
            description=source.description,
        )


def _config(folder: Path) -> RepoConfig:
    path = folder / SETTINGS
    if not path.is_file():
        below = sorted(folder.glob(f"*/{SETTINGS}"))
        nearest = below[0].parent if below else "my_project/feature_repo"
        raise ConfigError(
            f"{folder}: there is no {SETTINGS}, which every Feast repository has",
            hint=f"name its folder, such as: featurestore adopt {nearest}",
        )
    try:
        with quiet():
            return load_repo_config(folder, path)
    except Exception as error:  # Feast and its plugins raise what they raise
        raise ConfigError(
            f"{path}: Feast cannot read it: {error}",
            hint="correct the file until `feast configuration` prints it in its folder",
        ) from error


def _parsed(folder: Path) -> list[Any]:
    """Import the modules of a repository as `feast apply` does, and forget them again."""
    before = set(sys.modules)
    path, cwd, bytecode = list(sys.path), Path.cwd(), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    os.chdir(folder)  # Feast names modules by their paths from here
    try:
        with quiet():
            contents = parse_repo(folder)
    except (Exception, SystemExit) as error:  # modules of a user raise what they raise
        raise DefinitionError(
            f"{folder}: a module cannot be imported: {type(error).__name__}: {error}",
            hint="install what the repository imports; `.feastignore` names modules to leave out",
        ) from error
    finally:
        os.chdir(cwd)
        sys.path[:] = path
        sys.dont_write_bytecode = bytecode
        for name in set(sys.modules) - before:
            if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(folder):
                del sys.modules[name]
    return [
        *contents.entities[:-1],  # Feast appends the entity of views without one
        *contents.feature_views,
        *contents.stream_feature_views,
        *contents.label_views,
        *contents.on_demand_feature_views,
        *contents.feature_services,
    ]


def _registered(config: RepoConfig, folder: Path) -> list[Any]:
    registry = config.registry
    path = registry if isinstance(registry, str) else registry.path
    in_file = isinstance(registry, str) or registry.registry_type == "file"
    if in_file and "://" not in path and not (folder / path).is_file():
        return []
    with quiet():
        store = FeatureStore(repo_path=str(folder))
        return [
            *store.list_entities(),
            # Not `store.list_all_feature_views`, which takes the placeholder entity from views without entities; Feast
            # then refuses to register these views.
            *store.registry.list_all_feature_views(store.project),
            *store.list_feature_services(),
        ]


@contextmanager
def quiet() -> Iterator[None]:
    """Run code of Feast without its warnings, and without what it prints."""
    # Feast warns about its own deprecated arguments, which the repository chose and this command cannot change.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield


def _is_stored(definition: Any) -> bool:
    kinds = ("FeatureView", "StreamFeatureView")
    return isinstance(definition, BatchFeatureView | LabelView) or type(definition).__name__ in kinds


def _field(field: Any) -> FeastField:
    return FeastField(
        name=field.name,
        value_type=field.dtype.to_value_type().name,
        description=field.description,
        tags=dict(field.tags),
    )


def _format(source: Any, uri: str) -> FileFormat:
    if isinstance(getattr(source, "file_format", None), DeltaFormat):
        return "delta"
    return "csv" if uri.endswith(".csv") else "parquet"


def _local(uri: str, folder: Path) -> Path | None:
    parts = urlsplit(uri)
    if not uri or parts.scheme not in ("", "file"):
        return None
    return (folder / parts.path).resolve()


def _read(projection: Any) -> FeastRead:
    return FeastRead(
        view=projection.name,
        features=tuple(feature.name for feature in projection.features),
        alias=projection.name_alias or None,
        keys=dict(projection.join_key_map),
    )


def _on_demand(view: Any) -> FeastOnDemandView:
    requests: list[RequestSource] = list(view.source_request_sources.values())
    return FeastOnDemandView(
        name=view.name,
        mode=str(getattr(view.mode, "value", view.mode)),
        reads=tuple(_read(projection) for projection in view.source_feature_view_projections.values()),
        request=tuple(_field(field) for source in requests for field in source.schema),
        features=tuple(_field(field) for field in view.features),
        code=getattr(view.feature_transformation, "udf_string", "") or "",
        description=view.description,
        owner=view.owner,
    )


def _service(service: Any) -> FeastService:
    return FeastService(
        name=service.name,
        reads=tuple(_read(projection) for projection in service.feature_view_projections),
        description=service.description,
        owner=service.owner,
        tags=dict(service.tags),
    )
