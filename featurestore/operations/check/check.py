"""Check: run every function on empty frames of its input schemas, without data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.call import call, reason
from featurestore.definitions.catalog import KINDS
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.known import known_of_columns
from featurestore.errors import ContractError, DefinitionError
from featurestore.operations.check.literals import require_literals
from featurestore.quality.change.thresholds import check_thresholds
from featurestore.quality.gate.compiled_contract import compile_contract
from featurestore.quality.gate.row_gate import row_gate
from featurestore.quality.gate.window_rows import sample
from featurestore.quality.profile.documentation import require_documentation
from featurestore.quality.rules.expectations import check_expectations
from featurestore.vectors.complete import compute
from featurestore.vectors.own_rows import require_own_events, require_own_rows

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Definition
    from featurestore.definitions.contract import Contract
    from featurestore.definitions.signature import Transformation
    from featurestore.workspace import Workspace


def check(workspace: Workspace) -> int:
    """Type-check all definitions; returns how many definitions were checked.

    Raises
    ------
    DefinitionError
        If a function fails on empty frames, returns other columns, dtypes or literals than its schema declares, an on-demand
        view computes a row from other rows, or a schema has a check, an expectation, a threshold or a `known` that cannot be
        evaluated.
    """
    catalog = workspace.catalog
    count = 0
    for node in (*catalog.nodes.values(), *catalog.training_sets.values()):
        check_expectations(node.contract, lambda name: catalog.node(name).contract.empty())
        known_of_columns(node.contract)
    for source in catalog.sources.values():
        compile_contract(source.contract.empty(), source.contract, dataset=source.name)
        check_thresholds(source.contract)
        require_documentation(source.contract, source.name)
        count += 1
    for derived in (*catalog.build_order(), *catalog.training_sets.values()):
        _check_function(derived, derived.function, derived.inputs, derived.contract)
        if isinstance(derived, FeatureView) and derived.window_contract is not None:
            _check_windows(derived, derived.window_contract)
        count += 1
    for view in catalog.on_demand.values():
        row_gate(view.request)
        for contract in (view.request, view.contract):
            require_documentation(contract, f"on-demand view {view.name!r}")
            check_thresholds(contract)
        compute(view, pl.DataFrame(schema=view.input_schema))
        require_own_rows(view)
        count += 1
    return count + len(catalog.services)


def _check_windows(view: FeatureView, contract: Contract) -> None:
    where = f"feature view {view.name!r}"
    computed = sample(view, view.contract.empty().lazy())
    compile_contract(computed, contract, dataset=where)
    check_thresholds(contract)
    require_documentation(contract, where)
    require_own_events(view)


def _check_function(
    definition: Definition, function: Transformation, inputs: tuple[Contract, ...], output: Contract
) -> None:
    where = f"{KINDS[type(definition)]} {definition.name!r}"
    try:
        rows = call(definition.name, function, *(contract.empty() for contract in inputs))
        compile_contract(rows, output, dataset=where)
        check_thresholds(output)
        require_documentation(output, where)
        require_literals(where, function, inputs, output, rows.collect_schema())
    except ContractError as error:
        raise DefinitionError(str(error.message), hint=error.hint) from error
    except pl.exceptions.PolarsError as error:
        raise DefinitionError(
            f"{where}: fails on empty frames of its inputs: {reason(error)}",
            hint="name columns and dtypes as the schemas of its inputs declare them",
        ) from error
