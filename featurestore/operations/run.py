"""Run: what the stages of dvc.yaml do, in one process, with the records that ``dvc repro`` keeps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from featurestore.operations.add.version import (
    add_pushed_version,
    add_served_version,
    has_pushed,
    has_served,
)
from featurestore.operations.apply.apply import apply
from featurestore.operations.audit.audit import audit
from featurestore.operations.audit.record import AuditRecord
from featurestore.operations.build.build import build
from featurestore.operations.check.check import check
from featurestore.operations.check.unversioned import reads_served
from featurestore.operations.check_leaks.check_leaks import LeakRecord, check_leaks
from featurestore.operations.check_leaks.state import provable, unproven_inputs
from featurestore.operations.ingest import ingest
from featurestore.operations.materialize import materialize
from featurestore.operations.pipeline.awaiting import awaiting_answers, sets_with_stage
from featurestore.operations.pipeline.pipeline import stages_of, update_pipeline
from featurestore.operations.report import report
from featurestore.operations.training_set.frozen_splits import SplitChange
from featurestore.operations.training_set.manifest import TrainingManifest
from featurestore.operations.training_set.training_set import training_set
from featurestore.operations.validate.validate import validate
from featurestore.quality.gate.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.workspace import Workspace


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did.

    Attributes
    ----------
    steps
        The stages that were out of date, in the order in which they ran. Data that got a new version are one, by their path.
    verdicts
        The verdicts of the datasets and feature views that ran.
    training_sets
        The manifests of the training sets that ran.
    split_changes
        The validation and test splits that differ from the builds that these replace, by training set.
    audit
        The proof of parity; None: it did not run.
    awaiting
        The training sets that were left out: their labels are of answers, and no answer is logged yet.
    unproven
        The feature views that were not checked for leaks, and their inputs of which nothing tells when they become known.
    """

    steps: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    training_sets: tuple[TrainingManifest, ...]
    audit: AuditRecord | None
    split_changes: dict[str, tuple[SplitChange, ...]]
    awaiting: tuple[str, ...] = ()
    unproven: dict[str, tuple[str, ...]] = {}


def run(workspace: Workspace, *, progress: Callable[[str], None] = lambda _: None) -> Run:
    """Check the definitions, bring dvc.yaml up to date, and run the stages that are out of date.

    Raw files, pushed rows, and answers that training sets read get a new version first, if they changed. A later
    ``dvc repro`` has nothing to do. A training set of labels of answers is left out until answers are logged.

    Parameters
    ----------
    progress
        Is called with the name of each of our stages, as it starts.

    Raises
    ------
    ConfigError
        If the folder is not a DVC repository, or DVC refuses a stage.
    DefinitionError
        If the definitions do not fit together.
    ContractError
        If a dataset is refused. The stages before it are recorded.
    StoreError
        If the command of a stage that people wrote fails.
    SkewError
        If the audit finds a difference between training and serving, or a feature view leaks.
    """
    check(workspace)
    if has_pushed(workspace):
        add_pushed_version(workspace)
    if reads_served(workspace.catalog) and has_served(workspace):
        add_served_version(workspace)
    update_pipeline(workspace)
    changes: dict[str, tuple[SplitChange, ...]] = {}
    steps = _steps(workspace, lambda name, change: changes.update({name: (*changes.get(name, ()), change)}))
    commands = {name: stage["cmd"] for name, stage in stages_of(workspace).items()}
    results: list[object] = []

    def step_of(name: str, command: str) -> Callable[[], object] | None:
        return partial(execute, name) if commands.get(name) == command else None

    def execute(name: str) -> None:
        progress(name)
        results.append(steps[name]())

    ran = workspace.parts.versions.run(workspace.root, step_of)
    return Run(
        steps=ran,
        verdicts=tuple(result for result in results if isinstance(result, Verdict)),
        training_sets=tuple(result for result in results if isinstance(result, TrainingManifest)),
        audit=next((result for result in results if isinstance(result, AuditRecord)), None),
        split_changes=changes,
        awaiting=awaiting_answers(workspace),
        unproven=unproven_inputs(workspace),
    )


def _steps(
    workspace: Workspace, on_split_change: Callable[[str, SplitChange], None] = lambda _name, _change: None
) -> dict[str, Callable[[], object]]:
    """Return what each of our stages does, by its name."""
    catalog = workspace.catalog
    fetched = [source.name for source in catalog.sources.values() if source.origin is not None]
    return {
        **{f"ingest-{name}": partial(ingest, workspace, name) for name in fetched},
        **{f"validate-{name}": partial(validate, workspace, name) for name in catalog.sources},
        **{f"build-{node.name}": partial(build, workspace, node.name) for node in catalog.build_order()},
        **{
            f"training-set-{training.name}": partial(
                training_set,
                workspace,
                training.name,
                on_split_change=partial(on_split_change, training.name),
            )
            for training in sets_with_stage(workspace)
        },
        "apply": partial(apply, workspace),
        "materialize": partial(materialize, workspace, full=True),
        "check-leaks": partial(_no_leaks, workspace),
        "audit": partial(_parity, workspace),
        "report": partial(report, workspace),
    }


def _no_leaks(workspace: Workspace) -> LeakRecord:
    sets = (training.name for training in sets_with_stage(workspace))
    record = check_leaks(workspace, (*provable(workspace), *sets))
    record.require_none()
    return record


def _parity(workspace: Workspace) -> AuditRecord:
    record = audit(workspace)
    record.require_parity()
    return record
