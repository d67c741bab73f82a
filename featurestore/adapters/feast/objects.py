"""Compile a catalog to genuine Feast objects."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, RequestSource
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.types import from_value_type
from feast.value_type import ValueType

from featurestore.definitions.fingerprint import fingerprint
from featurestore.storage.layout import Layout
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.values.table import feast_type

if TYPE_CHECKING:
    from featurestore.config import Settings
    from featurestore.definitions import feature_service, feature_view, on_demand
    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.contract import Column

TAG = "featurestore"
DEFINITION_TAG = f"{TAG}.definition"


class DeclaredOnDemandFeatureView(OnDemandFeatureView):
    """An on-demand view with the types of its schema, so that Feast infers none from samples."""

    def infer_features(self) -> None:
        """Keep the declared features, which `featurestore check` has proven."""


def expose(folder: str | Path) -> dict[str, Any]:
    """Compile the project that holds `folder`, for the module that Feast scans.

    Parameters
    ----------
    folder
        The definitions package: the folder of ``feature_store.yaml``.

    Returns
    -------
    dict
        Feast objects by a unique name, for ``globals().update(...)``.
    """
    from featurestore.adapters.feast.context import context_of  # noqa: PLC0415 - context imports this package's parts

    context = context_of(Path(folder))
    return {f"{type(o).__name__}_{o.name}": o for o in compile_catalog(context.catalog, context.settings)}


def compile_catalog(catalog: Catalog, settings: Settings) -> list[Any]:
    """Compile all views and services, and the entities and sources that they need."""
    entities = _entities(catalog)
    views = {name: _view(view, entities, settings) for name, view in sorted(catalog.views.items())}
    computed = {name: _on_demand(view, views, settings) for name, view in sorted(catalog.on_demand.items())}
    services = [_service(service, views, computed) for _, service in sorted(catalog.services.items())]
    return [*entities.values(), *views.values(), *computed.values(), *services]


def source_name(view: str) -> str:
    """Return the name of the Feast source of a view's rows."""
    return f"{view}_source"


def _path(view: str, settings: Settings) -> str:
    """Return the path of a view's rows, relative to the repository if they are in the project's folder.

    A registry is copied and moved together with the project: an absolute path would stay where it was.
    """
    rows = Layout(settings.data).features(view).resolve()
    return os.path.relpath(rows, settings.feast_repo) if rows.is_relative_to(settings.root) else str(rows)


def _entities(catalog: Catalog) -> dict[str, Entity]:
    # A Feast entity has one join key, so each key column becomes an entity. The name of the entity becomes a tag.
    by_key: dict[str, Entity] = {}
    for view in catalog.views.values():
        for key, dtype in view.key_schema.items():
            by_key.setdefault(
                key,
                Entity(
                    name=key,
                    join_keys=[key],
                    value_type=ValueType[feast_type(dtype)],
                    description=view.contract[key].description or "",
                ),
            )
    return dict(sorted(by_key.items()))


def _view(view: feature_view.FeatureView, entities: dict[str, Entity], settings: Settings) -> FeatureView:
    timing = view.timing
    rows = FileSource(
        name=source_name(view.name),
        path=_path(view.name, settings),
        timestamp_field=EVENT_TIMESTAMP,
        created_timestamp_column=CREATED_TIMESTAMP if timing.created else "",
        description=f"Rows of {view.name}",
        owner=view.owner,
    )
    return FeatureView(
        name=view.name,
        # Feast gives a view without entities its placeholder, whose key column is `DUMMY_ENTITY_ID`.
        entities=[entities[key] for key in view.keys],
        ttl=timing.ttl or timedelta(0),
        schema=[_field(view.feature_contract[name]) for name in (*view.keys, *view.feature_names)],
        # The source has the view's name, as in HTTP's POST /push. A push is the one of `project.push`.
        source=PushSource(name=view.name, batch_source=rows, description=rows.description, owner=view.owner),
        online=True,
        description=view.description,
        owner=view.owner,
        tags={
            **view.tags,
            **({} if view.entity is None else {f"{TAG}.entity": view.entity.name}),
            f"{TAG}.delay": str(timing.delay),
            f"{TAG}.every": str(timing.every),
            DEFINITION_TAG: fingerprint(view).digest,
        },
    )


def _on_demand(
    view: on_demand.OnDemandFeatureView, views: dict[str, FeatureView], settings: Settings
) -> OnDemandFeatureView:
    # Feast rebuilds the function from its source text. The text has the name of the view, and none of its code.
    text = (
        f"def {view.name}(inputs):\n"
        "    from featurestore.adapters.feast.context import compute_on_demand\n"
        f"    return compute_on_demand({str(settings.feast_repo)!r}, {view.name!r}, inputs)\n"
    )
    namespace: dict[str, Any] = {}
    exec(text, namespace)  # noqa: S102 - the text above, as Feast runs it
    request = RequestSource(
        name=f"{view.name}_request", schema=[_field(column) for column in view.request.columns]
    )
    return DeclaredOnDemandFeatureView(
        name=view.name,
        sources=[*(_projected(views, s, named=s.alias is not None) for s in view.sources), request],
        # Feast's registry drops the descriptions of computed fields, and would then report each service as changed.
        schema=[Field(name=column.name, dtype=_dtype(column)) for column in view.features],
        udf=namespace[view.name],
        udf_string=text,
        mode="python",
        description=view.description,
        owner=view.owner,
    )


def _service(
    service: feature_service.FeatureService,
    views: dict[str, FeatureView],
    computed: dict[str, OnDemandFeatureView],
) -> FeatureService:
    # Feast compares projections by name, and fails if one has an alias and another has none.
    aliased = any(selection.alias for selection in service.selections)
    return FeatureService(
        name=service.name,
        features=[
            *(_projected(views, s, named=aliased) for s in service.selections),
            *(computed[view.name][list(view.feature_names)] for view in service.on_demand),
        ],
        description=service.description,
        owner=service.owner,
    )


def _projected(
    views: dict[str, FeatureView], selection: feature_view.Selection, *, named: bool
) -> FeatureView:
    view = views[selection.view.name][list(selection.features)]
    if not named:
        return view
    renamed = zip(selection.view.keys, selection.keys, strict=True)
    return view.with_name(selection.label).with_join_key_map(
        {key: column for key, column in renamed if key != column}
    )


def _field(column: Column) -> Field:
    tags = {"unit": column.unit} if column.unit else {}
    return Field(name=column.name, dtype=_dtype(column), description=column.description or "", tags=tags)


def _dtype(column: Column) -> Any:
    return from_value_type(ValueType[feast_type(column.dtype)])
