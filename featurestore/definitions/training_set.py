"""The declaration of a training set: ``@training_set(service=..., label=..., owner=...)``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from featurestore.definitions.entity_rows import (
    REQUEST_ID,
    entity_rows,
    require_columns,
    require_labels_of_answers,
)
from featurestore.definitions.feature_service import FeatureService, TrainingSet
from featurestore.definitions.known import known_of_label
from featurestore.definitions.signature import signature_of
from featurestore.definitions.split_columns import added_columns
from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.labels.declare import labellers_of
from featurestore.splits.check import require_free_names, require_label, sample_of, strategies_of
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.checked_calls import checked_call
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.definitions.known import Declaration
    from featurestore.definitions.signature import Transformation
    from featurestore.labels.declare import Labellers
    from featurestore.splits.check import Split
    from featurestore.splits.sample import SampleStrategy

# `_require_one_label` checks it in place of `checked_call`: its hint says what to do with several labels.
ColumnName: TypeAlias = str


@checked_call
def training_set(
    *,
    service: FeatureService,
    label: ColumnName,
    owner: str,
    matures: Declaration | None = None,
    split: Split | None = None,
    sample: SampleStrategy | None = None,
    fits: bool = False,
    served: bool = False,
    labellers: Labellers | None = None,
) -> Callable[[Transformation], TrainingSet]:
    """Declare the rows of a training set: keys, timestamp, request values and label.

    ``event_timestamp`` is the time at which the model would have been called. The features are
    those known by then.

    Parameters
    ----------
    service
        The features to join.
    label
        The column of labels: a number, or a class. A column of lists names several classes of a row.
    owner
        Who answers for the training set.
    matures
        When the label of a row is known: a time after its ``event_timestamp``, the column that holds the
        timestamp, or each other form of ``known``. A row whose label is not known yet is left out and
        counted. None: the ``known`` of the label's metadata; without it, all labels are known.
    split
        Adds the column ``split``, with ``train``, ``validation`` or ``test``: ``random_split(...)``,
        ``time_split(...)``, or a tuple of them, which keeps the rows that all of them put into the same split.
    sample
        Keeps or repeats rows of train alone, and adds the columns ``weight`` and ``is_repeated``: ``random_sample(...)``,
        ``systematic_sample(...)``, ``undersample(...)`` or ``oversample(...)``.
    fits
        True: fit the steps of the service to the rows of this training set. One of several training sets of a service
        says so.
    served
        True: the function returns labels of answers of the service: ``request_id``, or keys and ``event_timestamp``, and the
        label. The rows are those of the served log.
    labellers
        ``labelled_by(...)``: several labellers label a row, and a policy says which label counts.

    Raises
    ------
    DefinitionError
        If `service` is not a feature service, or `label` is not one name; if the schema lacks the timestamp, the label, a
        key or a request value, or has one with another dtype; if the label is nested and not a list of classes; if `matures` cannot be read, or is before the
        timestamp; or if the split, the sample or the labellers do not fit the schema.
    """

    def declare(function: Transformation) -> TrainingSet:
        signature = signature_of(function)
        name, contract = function.__name__, signature.output
        where = f"training set {name!r}"
        if not isinstance(service, FeatureService):
            raise DefinitionError(
                f"{where}: service is a {type(service).__name__}; expected a feature service",
                hint="give the definition itself, not its name",
            )
        _require_one_label(where, label)
        needed = {EVENT_TIMESTAMP: UTC_MICROSECONDS, **service.key_schema, **service.request_schema}
        if served:
            require_labels_of_answers(contract, service, label, where)
            needed[REQUEST_ID] = pl.String()
        require_columns(contract, service, where, served=served, needed=needed)
        if label not in contract:
            raise UnknownNameError(
                "label", label, contract.schema, within=f"schema {contract.name} of {where}"
            )
        require_label(label, contract[label].dtype, where)
        # Also of the columns that the served log adds.
        known = known_of_label(
            entity_rows(contract, service, served=served, labellers=None), label, matures, where
        )
        for feature in service.feature_names:
            if feature in contract:
                raise DefinitionError(
                    f"{where}: {feature!r} is a feature of service {service.name!r} and a column of "
                    f"schema {contract.name}",
                    hint=f"remove {feature!r} from the schema: the service joins it",
                )
        declared = TrainingSet(
            name=name,
            function=function,
            inputs=signature.inputs,
            contract=contract,
            service=service,
            label=label,
            description=signature.description,
            owner=owner,
            defined_in=signature.path,
            matures=known,
            fits=fits,
            served=served,
            labellers=labellers_of(
                where,
                labellers,
                label=label,
                nullable={column.name: column.nullable for column in contract.columns},
                taken=tuple(needed),
                known=() if known is None else known.columns,
            ),
        )
        schema, identity = declared.entity_rows.schema, declared.identity
        declared = replace(
            declared,
            split=strategies_of(where, split, schema=schema, identity=identity, label=label),
            sample=sample_of(where, sample, schema=schema, identity=identity, label=label),
        )
        added = [column.name for column in added_columns(declared.split, declared.sample)]
        require_free_names(where, added, [*schema, *service.feature_names])
        return declared

    return declare


def _require_one_label(where: str, label: object) -> None:
    if not isinstance(label, str):
        raise DefinitionError(
            f"{where}: label is {label!r}; expected the name of one column",
            hint="several classes of a row are one column of lists; for several targets declare a training set each: with an "
            "equal seed a row is in the same split of all",
        )
