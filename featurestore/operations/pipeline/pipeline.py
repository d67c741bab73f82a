"""Pipeline: derive dvc.yaml from the definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import yaml

from featurestore.definitions.fingerprint import code_files
from featurestore.operations.check.timeless import leaf_nodes
from featurestore.operations.check_leaks.state import provable
from featurestore.operations.pipeline.awaiting import sets_with_stage
from featurestore.operations.pipeline.own_stages import with_others
from featurestore.operations.pipeline.packages import packages_path, write_packages
from featurestore.operations.training_set.fit import fitted_tables, is_fitting_set
from featurestore.quality.rules.expectations import referenced
from featurestore.storage.datasets import corrections_path, dataset_path
from featurestore.storage.files import write_text
from featurestore.storage.inside import inside
from featurestore.storage.layout import has_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from featurestore.definitions.catalog import Derived
    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.definitions.on_demand import OnDemandFeatureView
    from featurestore.definitions.source import Source
    from featurestore.operations.pipeline.own_stages import Stage, Stages
    from featurestore.workspace import Workspace

HEADER = (
    "# `featurestore pipeline --write` makes the stages that carry its mark from the definitions, and keeps all others.\n"
    "# It does not keep comments.\n"
)

_FILES: WeakKeyDictionary[Any, tuple[Path, ...]] = WeakKeyDictionary()


def pipeline(workspace: Workspace, *, write: bool = False) -> str:
    """Return the text of dvc.yaml: a stage for each dataset, view and training set, then the verbs over all of them.

    Outputs are persistent: DVC does not delete the last good data before a stage has written better data. Stages and
    other keys of the dvc.yaml in place that people wrote are kept; comments are not.

    Parameters
    ----------
    write
        True: also write dvc.yaml in the project's folder, and packages.json beside it.

    Raises
    ------
    ConfigError
        If the dvc.yaml in place cannot be read, or a stage of other people has the name of one of ours.
    SkewError
        If dvc.yaml is to be written, and a definition changed after this process read it.
    """
    if write:
        workspace.require_current()
    path = workspace.root / "dvc.yaml"
    content = with_others(path, stages_of(workspace))
    text = HEADER + yaml.safe_dump(content, sort_keys=False, width=110)
    if write:
        write_packages(workspace)
        write_text(text, path)
    return text


def update_pipeline(workspace: Workspace) -> bool:
    """Write dvc.yaml if its stages changed, so that comments stay where nothing changed; returns whether it wrote.

    Raises as `pipeline` does.
    """
    workspace.require_current()
    path = workspace.root / "dvc.yaml"
    before = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    if yaml.safe_load(pipeline(workspace)) == before:
        write_packages(workspace)
        return False
    pipeline(workspace, write=True)
    return True


def stages_of(workspace: Workspace) -> Stages:
    """Return the stages of all definitions, by name; a training set whose answers are not logged yet has none."""
    stages: Stages = {}
    for source in workspace.catalog.sources.values():
        stages |= _source_stages(workspace, source)
    for derived in workspace.catalog.build_order():
        stages |= _build_stage(workspace, derived)
    stages |= _apply_stage(workspace)
    for training in sets_with_stage(workspace):
        stages |= _training_set_stage(workspace, training)
    stages |= _materialize_stage(workspace)
    stages |= _check_leaks_stage(workspace)
    stages |= _audit_stage(workspace)
    stages |= _report_stage(workspace)
    return stages


def _source_stages(workspace: Workspace, source: Source) -> Stages:
    name = source.name
    raw = workspace.root / source.path
    corrections = corrections_path(source)
    stages: Stages = {}
    if source.origin is not None:
        stages[f"ingest-{name}"] = {"cmd": f"featurestore ingest {name}", "outs": _outputs(workspace, [raw])}
    stages[f"validate-{name}"] = {
        "cmd": f"featurestore validate {name}",
        "deps": [
            *_code(workspace, source),
            _relative(workspace, source.location(raw)[0]),
            *([_relative(workspace, corrections)] if corrections.exists() else []),
            *_referenced(workspace, source.contract),
        ],
        "outs": _outputs(workspace, [workspace.layout.dataset(name), *_records(workspace, name)]),
    }
    return stages


def _build_stage(workspace: Workspace, derived: Derived) -> Stages:
    name = derived.name
    rows = dataset_path(derived, workspace.layout)
    dependencies = (*_inputs(workspace, derived), *_referenced(workspace, derived.contract))
    return {
        f"build-{name}": {
            "cmd": f"featurestore build {name}",
            "deps": [*_code(workspace, derived), *dict.fromkeys(dependencies)],
            "outs": _outputs(workspace, [rows, *_records(workspace, name)]),
        }
    }


def _apply_stage(workspace: Workspace) -> Stages:
    return {
        "apply": {
            "cmd": "featurestore apply",
            "deps": [*_all_code(workspace), *_views(workspace)],
            "outs": _uncached_output(workspace, workspace.layout.registry),
        }
    }


def _training_set_stage(workspace: Workspace, training: TrainingSet) -> Stages:
    views = [dataset_path(selection.view, workspace.layout) for selection in training.service.reads]
    return {
        f"training-set-{training.name}": {
            "cmd": f"featurestore training-set {training.name}",
            "deps": [
                *_code(workspace, training, training.service, *training.service.on_demand),
                *_inputs(workspace, training),
                *(_relative(workspace, path) for path in views),
                *_pushed(workspace),
                *(_versioned(workspace, workspace.layout.all_served) if training.served else []),
                *_applied_state(workspace, training),
                *_tables(workspace, training),
            ],
            "outs": _outputs(workspace, _training_files(workspace, training)),
        }
    }


def _materialize_stage(workspace: Workspace) -> Stages:
    settings = _relative(workspace, workspace.settings.feast_repo / "feature_store.yaml")
    return {
        "materialize": {
            "cmd": "featurestore materialize --full",
            "deps": [*_all_code(workspace), settings, *_views(workspace), *_pushed(workspace)],
            "outs": _uncached_output(workspace, workspace.layout.materialized),
        }
    }


def _check_leaks_stage(workspace: Workspace) -> Stages:
    """Check training sets and the views that can be proven; without such a view there is no stage.

    `featurestore check` names the inputs of the other views.
    """
    catalog = workspace.catalog
    names = provable(workspace)
    if not names:
        return {}
    leaves = {node.name: node for name in names for node in leaf_nodes(catalog.view(name), catalog)}
    paths = [_relative(workspace, dataset_path(node, workspace.layout)) for node in leaves.values()]
    sets = [training.name for training in sets_with_stage(workspace)]
    paths += [_relative(workspace, workspace.layout.training(name)) for name in sets]
    some = (*names, *sets) if len(names) < len(catalog.views) else ()
    command = ["featurestore check-leaks", *some]
    return {
        "check-leaks": {
            "cmd": " ".join(command),
            "deps": [*_code(workspace, *catalog.nodes.values()), *paths],
            "outs": _outputs(workspace, [workspace.layout.leaks]),
        }
    }


def _audit_stage(workspace: Workspace) -> Stages:
    trainings = sets_with_stage(workspace)
    return {
        "audit": {
            "cmd": "featurestore audit",
            "deps": [
                _relative(workspace, workspace.layout.materialized),
                *_views(workspace),
                *_pushed(workspace),
                *_training_sets(workspace),
                *dict.fromkeys(table for training in trainings for table in _tables(workspace, training)),
            ],
            "outs": _outputs(workspace, [workspace.layout.audit]),
        }
    }


def _report_stage(workspace: Workspace) -> Stages:
    layout = workspace.layout
    records = [path(name) for name in workspace.catalog.nodes for path in (layout.verdict, layout.profile)]
    return {
        "report": {
            "cmd": "featurestore report",
            "deps": [
                _relative(workspace, layout.audit),
                _relative(workspace, layout.materialized),
                *(_relative(workspace, path) for path in records),
                *_training_sets(workspace),
            ],
            # The pages show the runs of this machine, so their bytes differ elsewhere: DVC tracks which pages there are.
            "outs": _uncached_output(workspace, layout.pages),
        }
    }


def _relative(workspace: Workspace, path: Path) -> str:
    return inside(workspace.root, path)


def _outputs(workspace: Workspace, paths: Iterable[Path]) -> list[Stage]:
    return [{_relative(workspace, path): {"persist": True}} for path in paths]


def _uncached_output(workspace: Workspace, path: Path) -> list[Stage]:
    # A record of something outside DVC, such as the online store: DVC must run the stage, not restore the record.
    return [{_relative(workspace, path): {"persist": True, "cache": False}}]


def _code(
    workspace: Workspace,
    *definitions: Source | Derived | OnDemandFeatureView | FeatureService | TrainingSet,
) -> list[str]:
    """List the files that the fingerprints of definitions cover, and the versions of packages, which they cover too."""
    files = {path for definition in definitions for path in _files(workspace, definition)}
    return [
        *sorted(_relative(workspace, path) for path in files),
        _relative(workspace, packages_path(workspace)),
    ]


def _files(
    workspace: Workspace, definition: Source | Derived | OnDemandFeatureView | FeatureService | TrainingSet
) -> tuple[Path, ...]:
    """List the files that decide a definition. Like its fingerprint, they are kept for as long as the definition lives."""
    if definition not in _FILES:
        _FILES[definition] = code_files(definition, root=workspace.root)
    return _FILES[definition]


def _all_code(workspace: Workspace) -> list[str]:
    catalog = workspace.catalog
    return _code(
        workspace,
        *catalog.nodes.values(),
        *catalog.on_demand.values(),
        *catalog.services.values(),
        *catalog.training_sets.values(),
    )


def _records(workspace: Workspace, name: str) -> list[Path]:
    layout = workspace.layout
    return [layout.quarantine(name), layout.verdict(name), layout.contract(name), layout.profile(name)]


def _inputs(workspace: Workspace, definition: Derived | TrainingSet) -> list[str]:
    nodes = workspace.catalog.inputs(definition)
    return [_relative(workspace, dataset_path(node, workspace.layout)) for node in nodes]


def _referenced(workspace: Workspace, contract: Contract) -> list[str]:
    """List the datasets that the expectations of a contract read."""
    nodes = [workspace.catalog.node(name) for name in referenced(contract)]
    return [_relative(workspace, dataset_path(node, workspace.layout)) for node in nodes]


def _views(workspace: Workspace) -> list[str]:
    views = workspace.catalog.views.values()
    return [_relative(workspace, dataset_path(view, workspace.layout)) for view in views]


def _pushed(workspace: Workspace) -> list[str]:
    return _versioned(workspace, workspace.layout.all_pushed)


def _versioned(workspace: Workspace, folder: Path) -> list[str]:
    # Without a version, a clone has no such folder.
    return [_relative(workspace, folder)] if has_version(folder) else []


def _applied_state(workspace: Workspace, training: TrainingSet) -> list[str]:
    """List the state that is applied to a training set and fitted to another one."""
    if not training.service.steps or is_fitting_set(workspace.catalog, training):
        return []
    return [_relative(workspace, workspace.layout.fitted(training.service.name))]


def _tables(workspace: Workspace, training: TrainingSet) -> list[str]:
    """List the datasets that the steps of a training set are fitted to, beside its rows."""
    tables = fitted_tables(workspace.catalog, training)
    return [_relative(workspace, dataset_path(node, workspace.layout)) for node in tables]


def _training_files(workspace: Workspace, training: TrainingSet) -> list[Path]:
    layout, name = workspace.layout, training.name
    fitted = [layout.fitted_training(name)] if training.service.steps else []
    state = [layout.fitted(training.service.name)] if is_fitting_set(workspace.catalog, training) else []
    files = [layout.training(name), layout.training_manifest(name), layout.training_profile(name)]
    return [*files, *fitted, *state]


def _training_sets(workspace: Workspace) -> list[str]:
    return [
        _relative(workspace, path)
        for training in sets_with_stage(workspace)
        for path in _training_files(workspace, training)
    ]
