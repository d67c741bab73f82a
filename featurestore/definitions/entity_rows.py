"""The rows of a training set before features are joined: what its function returns, and what the served log adds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.contract import Column
from featurestore.errors import DefinitionError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.labels.declare import Labellers

REQUEST_ID: Final = "request_id"


def _column(name: str, dtype: pl.DataType, description: str) -> Column:
    return Column(
        name=name, dtype=dtype, nullable=False, unique=False, description=description, checks=(), metadata={}
    )


_ANSWER_COLUMNS: Final = {
    EVENT_TIMESTAMP: _column(EVENT_TIMESTAMP, UTC_MICROSECONDS, "the time that the answer was of"),
    REQUEST_ID: _column(REQUEST_ID, pl.String(), "the request that was answered"),
}


def answer_columns(service: FeatureService) -> dict[str, Column]:
    """Return the columns of an answer in the served log: keys, request values, timestamp and request id."""
    return service.request_columns | _ANSWER_COLUMNS


def entity_rows(
    contract: Contract, service: FeatureService, *, served: bool, labellers: Labellers | None
) -> Contract:
    """Return the contract of the rows before features are joined, with one label each.

    Parameters
    ----------
    contract
        What the function returns.
    served
        Whether these are labels of answers, whose rows are in the served log.
    labellers
        Which label counts. The column of labellers does not stay: the policy made one label of theirs.
    """
    if not served and labellers is None:
        return contract
    labeller = None if labellers is None else labellers.column
    added = answer_columns(service) if served else {}
    own = [column for column in contract.columns if column.name != labeller]
    before = [column for name, column in added.items() if name not in contract]
    uniques = (tuple(name for name in names if name != labeller) for names in contract.uniques)
    return replace(contract, columns=(*before, *own), uniques=tuple(names for names in uniques if names))


def require_labels_of_answers(contract: Contract, service: FeatureService, where: str) -> None:
    """Refuse labels that do not say which answer they are of.

    Raises
    ------
    DefinitionError
        If the schema has neither the request id, nor all keys and the timestamp; or the service has a key, a request
        value or a feature of the name ``request_id``.
    """
    if REQUEST_ID in (*service.request_columns, *service.feature_names):
        raise DefinitionError(
            f"{where}: service {service.name!r} has a column {REQUEST_ID!r}, which names the request in the served log",
            hint="rename the column of the service",
        )
    keys = [*service.key_schema, EVENT_TIMESTAMP]
    if REQUEST_ID not in contract and not all(name in contract for name in keys):
        raise DefinitionError(
            f"{where}: schema {contract.name} does not say which answer a label is of",
            hint=f"add {REQUEST_ID!r} (String) to the schema, or {', '.join(map(repr, keys))}",
        )


def require_columns(
    contract: Contract, service: FeatureService, where: str, *, served: bool, needed: dict[str, pl.DataType]
) -> None:
    """Refuse a schema without a column that the service needs, or with one of another dtype.

    Raises
    ------
    DefinitionError
        If there is one. Labels of answers may lack columns, which the served log adds.
    """
    for column, dtype in needed.items():
        if column not in contract:
            if served:
                continue
            raise DefinitionError(
                f"{where}: schema {contract.name} lacks {column!r}, which service {service.name!r} needs",
                hint=f"add to the schema: {column}: {dtype}",
            )
        if contract[column].dtype != dtype:
            raise DefinitionError(
                f"{where}: {column!r} is {contract[column].dtype} in schema {contract.name}, "
                f"but {dtype} in service {service.name!r}",
                hint=f"declare {column!r} as {dtype} in schema {contract.name}",
            )
