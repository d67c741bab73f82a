"""Build: run the function of a dataset or feature view, let the result through the gate, keep it as Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.source import Source
from featurestore.errors import DefinitionError
from featurestore.operations.build.inputs import inputs_of
from featurestore.operations.validate.context import validation_context
from featurestore.operations.validate.outcome import record_outcome, recorded_failure
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.gate.view_rows import inspect_view
from featurestore.quality.gate.window_rows import with_windows
from featurestore.quality.profile.documentation import require_documentation

if TYPE_CHECKING:
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.workspace import Workspace


def build(workspace: Workspace, name: str) -> Verdict:
    """Build a dataset or feature view from datasets that are built already.

    The rows of a feature view are sorted by key, event and created timestamp; exact duplicates are removed. The rows of
    a dataset are sorted by the columns that its schema declares unique; without such columns they keep the order that the
    function returns. Equal inputs give equal files, for any order of raw rows and any number of threads, if the function
    depends on nothing else (`featurestore check --reproducible`).

    Raises
    ------
    MissingDataError
        If an input is not built yet.
    ContractError
        If the result is refused; the rows in place do not change. Of a view with windows, also if the features of some
        keys break the schema of the features (`featurestore.quality.gate.window_rows`).
    DefinitionError
        If `name` is a source, the function fails, or a column has no description or no unit.
    SkewError
        If another definition made an input, or the definition changed after this process read it.
    """
    node = workspace.catalog.node(name)
    if isinstance(node, Source):
        raise DefinitionError(f"{name!r} is a source", hint=f"run: featurestore validate {name}")
    workspace.require_current(node)
    require_documentation(node.contract, name)
    if isinstance(node, FeatureView) and node.window_contract is not None:
        require_documentation(node.window_contract, name)
    context = validation_context(workspace, name)
    rows = workspace.engine.transform(node, inputs_of(node, workspace.catalog, workspace.layout))
    with recorded_failure(node, workspace.layout):
        if isinstance(node, FeatureView):
            inspection = with_windows(node, inspect_view(node, rows.lazy(), context))
        else:
            key = node.contract.key
            ordered = rows.sort(key) if key else rows
            inspection = inspect(ordered, node.contract, dataset=name, context=context)
        return record_outcome(inspection, node, workspace.layout)
