"""The pipeline: dvc.yaml, derived from the definitions."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from featurestore.operations.build import path_of
from featurestore.operations.validate import corrections_path
from featurestore.quality.rules.expectations import referenced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog, Derived
    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.definitions.on_demand import OnDemandFeatureView
    from featurestore.definitions.source import Source
    from featurestore.storage.layout import Layout

HEADER = "# Made from the definitions by `featurestore pipeline`; a test keeps it in step with them. Do not edit.\n"
Stage = dict[str, Any]


def pipeline(catalog: Catalog, settings: Settings, layout: Layout) -> str:  # noqa: C901 - one stage after another
    """Write dvc.yaml as text: one stage for each dataset, view and training set, then the verbs over all of them.

    Outputs are persistent: DVC does not delete the last good data before a stage has made better ones.
    """
    root = settings.root

    def relative(path: Path) -> str:
        return path.resolve().relative_to(root).as_posix()

    def code(definition: Source | Derived | OnDemandFeatureView | TrainingSet) -> list[str]:
        start = [definition.defined_in, Path(inspect.getfile(definition.contract.model)).resolve()]
        return sorted(relative(path) for path in _with_imports(start, settings))

    def kept(*paths: Path) -> list[dict[str, Any]]:
        return [{relative(path): {"persist": True}} for path in paths]

    def beside(path: Path) -> list[dict[str, Any]]:
        # A record of what lies outside DVC, such as the online store: never taken from DVC's cache instead of running.
        return [{relative(path): {"persist": True, "cache": False}}]

    def told(name: str) -> list[Path]:
        return [layout.quarantine(name), layout.verdict(name), layout.contract(name), layout.profile(name)]

    def corrections(source: Source) -> list[str]:
        path = corrections_path(source)
        return [relative(path)] if path.exists() else []

    def beside_it(contract: Contract) -> list[str]:
        # Datasets that it promises to agree with.
        return [relative(path_of(catalog.node(name), layout)) for name in referenced(contract)]

    stages: dict[str, Stage] = {}
    for source in catalog.sources.values():
        if source.origin is not None:
            stages[f"ingest-{source.name}"] = {
                "cmd": f"featurestore ingest {source.name}",
                "outs": kept(root / source.path),
            }
        stages[f"validate-{source.name}"] = {
            "cmd": f"featurestore validate {source.name}",
            "deps": [
                *code(source),
                relative(source.location(root / source.path)[0]),
                *corrections(source),
                *beside_it(source.contract),
            ],
            "outs": kept(layout.dataset(source.name), *told(source.name)),
        }
    for derived in catalog.build_order():
        inputs = [relative(path_of(node, layout)) for node in catalog.inputs(derived)]
        stages[f"build-{derived.name}"] = {
            "cmd": f"featurestore build {derived.name}",
            "deps": [*code(derived), *dict.fromkeys((*inputs, *beside_it(derived.contract)))],
            "outs": kept(path_of(derived, layout), *told(derived.name)),
        }
    views = [relative(path_of(view, layout)) for view in catalog.views.values()]
    definitions = sorted(
        {
            path
            for table in (catalog.nodes, catalog.on_demand, catalog.training_sets)
            for definition in table.values()
            for path in code(definition)
        }
    )
    stages["apply"] = {
        "cmd": "featurestore apply",
        "deps": [*definitions, *views],
        "outs": beside(layout.registry),
    }
    sets = []
    for training in catalog.training_sets.values():
        made = [
            layout.training(training.name),
            layout.training_manifest(training.name),
            layout.training_profile(training.name),
        ]
        sets += made
        read = [relative(path_of(s.view, layout)) for s in training.service.reads]
        stages[f"training-set-{training.name}"] = {
            "cmd": f"featurestore training-set {training.name}",
            "deps": [
                *code(training),
                *(relative(path_of(node, layout)) for node in catalog.inputs(training)),
                *read,
            ],
            "outs": kept(*made),
        }
    stages["materialize"] = {
        "cmd": "featurestore materialize --full",
        "deps": [*definitions, relative(settings.feast_repo / "feature_store.yaml"), *views],
        "outs": beside(layout.materialized),
    }
    stages["audit"] = {
        "cmd": "featurestore audit",
        "deps": [relative(layout.materialized), *views, *map(relative, sets)],
        "outs": kept(layout.audit),
    }
    stages["report"] = {
        "cmd": "featurestore report",
        "deps": [
            relative(layout.audit),
            relative(layout.materialized),
            *(relative(path(name)) for name in catalog.nodes for path in (layout.verdict, layout.profile)),
            *map(relative, sets),
        ],
        # The pages show the runs of this machine, so their bytes are nobody else's: what is tracked is which were made.
        "outs": beside(layout.pages),
    }
    return HEADER + yaml.safe_dump({"stages": stages}, sort_keys=False, width=110)


def _with_imports(start: Iterable[Path], settings: Settings) -> set[Path]:
    """Find the project's own modules that some modules import, directly or through others."""
    packages = {settings.schemas, settings.definitions}
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                file = settings.root.joinpath(*name.split(".")).with_suffix(".py")
                if name.partition(".")[0] in packages and file.is_file():
                    waiting.append(file.resolve())
    return found
