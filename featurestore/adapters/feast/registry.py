"""Keep Feast's registry in step with the definitions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from feast import FeatureStore

from featurestore.adapters.feast.objects import compile_catalog

if TYPE_CHECKING:
    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog


class FeastRegistry:
    """The registry named in feature_store.yaml."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def apply(self, catalog: Catalog) -> None:
        """Register exactly what the catalog defines; online data stay as they are."""
        self._settings.data.joinpath("registry").mkdir(parents=True, exist_ok=True)
        store = FeatureStore(repo_path=str(self._settings.feast_repo))
        objects = compile_catalog(catalog, self._settings)
        wanted = {(type(o).__name__.removeprefix("Declared"), o.name) for o in objects}
        present = [
            *store.list_feature_services(),
            *store.list_on_demand_feature_views(),
            *store.list_feature_views(),
            *(entity for entity in store.list_entities() if not entity.name.startswith("__")),
        ]
        gone = [o for o in present if (type(o).__name__, o.name) not in wanted]
        with warnings.catch_warnings():
            # Every apply says so of on-demand views; ours run as one expression over any number of rows.
            warnings.filterwarnings("ignore", message="On demand feature view is an experimental")
            store.apply(objects, objects_to_delete=gone, partial=False)
