"""Keep Feast's registry in step with the definitions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from feast import FeatureStore

from featurestore.adapters.feast.objects import compile_catalog
from featurestore.storage.durable import make_folder
from featurestore.storage.files import PRIVATE_FOLDER, translated_write_errors

if TYPE_CHECKING:
    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog


class FeastRegistry:
    """Feast's registry, as feature_store.yaml configures it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def apply(self, catalog: Catalog) -> None:
        """Register exactly the definitions of the catalog. Online data stay as they are.

        Raises
        ------
        StoreError
            If the file system refuses to write the registry.
        """
        folder = self._settings.data / "registry"
        with translated_write_errors(folder):
            make_folder(folder, mode=PRIVATE_FOLDER)
            self._apply(catalog)

    def _apply(self, catalog: Catalog) -> None:
        store = FeatureStore(repo_path=str(self._settings.feast_repo))
        objects = compile_catalog(catalog, self._settings)
        defined = {(type(o).__name__.removeprefix("Declared"), o.name) for o in objects}
        present = [
            *store.list_feature_services(),
            *store.list_on_demand_feature_views(),
            *store.list_feature_views(),
            *(entity for entity in store.list_entities() if not entity.name.startswith("__")),
        ]
        if not objects and not present:
            return
        removed = [o for o in present if (type(o).__name__, o.name) not in defined]
        with warnings.catch_warnings():
            # Feast warns at every apply about on-demand views. Those of featurestore are one expression over all rows.
            warnings.filterwarnings("ignore", message="On demand feature view is an experimental")
            store.apply(objects, objects_to_delete=removed, partial=False)
