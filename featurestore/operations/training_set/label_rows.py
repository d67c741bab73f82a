"""The rows of a training set with one label each, before features are joined: known, checked, found and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from featurestore.definitions.entity_rows import answer_columns
from featurestore.definitions.known import Known
from featurestore.errors import ContractError
from featurestore.labels.resolve import resolve
from featurestore.operations.build.inputs import in_total_order, inputs_of
from featurestore.operations.training_set.served_answers import ANSWER, served_answers
from featurestore.operations.training_set.served_labels import join_answers, require_one_label, served_counts
from featurestore.quality.gate.inspection import admit, inspect
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import microseconds
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.labels.agreement import Agreement
    from featurestore.labels.declare import Labellers
    from featurestore.labels.resolve import Resolved
    from featurestore.operations.training_set.served_answers import ServedAnswers
    from featurestore.operations.training_set.served_labels import ServedCounts
    from featurestore.workspace import Workspace


class LabelRows(NamedTuple):
    """Rows with one label each.

    Attributes
    ----------
    rows
        In the order of their content.
    immature
        How many rows of the function were left out, because their label was not known.
    counts, log
        Of labels of answers: what they found, and the served log. None: the function returns the rows.
    agreement
        How far the labellers agree. None: none are declared.
    """

    rows: pl.DataFrame
    immature: int
    counts: ServedCounts | None = None
    log: ServedAnswers | None = None
    agreement: Agreement | None = None


def label_rows(workspace: Workspace, training: TrainingSet, as_of: datetime | None) -> LabelRows:
    """Call the function of a training set, and keep one known label for each row.

    Parameters
    ----------
    as_of
        When labels must be known. None: all are.

    Raises
    ------
    ContractError
        If no label is known, a row breaks the contract, a policy cannot read the labels or decides none; or as of
        `featurestore.operations.training_set.served_labels`.
    MissingDataError
        If a dataset is not built, or nothing was served.
    """
    name, contract = training.name, training.contract
    transformed = workspace.engine.transform(
        training, inputs_of(training, workspace.catalog, workspace.layout)
    )
    mature = _mature(transformed, training, as_of)
    _require_known(transformed, mature, training, as_of)
    admitted = admit(inspect(mature, contract, dataset=name))
    first = [EVENT_TIMESTAMP] if EVENT_TIMESTAMP in contract else []
    # Again: the gate reads timestamps that were text.
    rows = _mature(in_total_order(admitted.lazy(), contract, first).collect(), training, as_of)
    immature = (transformed.height - mature.height) + (admitted.height - rows.height)
    if not training.served and training.labellers is None:
        return LabelRows(rows, immature)
    counts = log = measured = None
    if training.served:
        log = served_answers(workspace, training, as_of)
        joined = join_answers(rows, training, log)
        answered = joined.filter(pl.col(ANSWER).is_not_null())
        # Again: a label may be known some time after the answer.
        rows = _mature(answered, training, as_of)
        _require_known(answered, rows, training, as_of)
        immature += answered.height - rows.height
        counts = served_counts(joined, rows, training, log)
        if training.labellers is None:
            require_one_label(rows, training)
    if training.labellers is not None:
        rows, measured = _decided(rows, training, training.labellers)
    in_order = in_total_order(
        rows.lazy().select(*training.entity_rows.schema), training.entity_rows, [EVENT_TIMESTAMP]
    )
    return LabelRows(in_order.collect(), immature, counts, log, measured)


def _decided(rows: pl.DataFrame, training: TrainingSet, labellers: Labellers) -> Resolved:
    where = f"training set {training.name!r}"
    result = resolve(
        rows,
        _labelled_row(training, labellers),
        training.label,
        labellers,
        known_at=pl.lit(0) if training.matures is None else training.matures.timestamp(),
        where=where,
        personal=training.contract.personal,
    )
    if result.rows.is_empty():
        raise ContractError(
            f"{where}: the policy {labellers.policy!r} decides the label of none of "
            f"{counted(result.agreement.rows, 'row')}",
            hint="declare another policy, or ask a labeller to decide",
        )
    return result


def _labelled_row(training: TrainingSet, labellers: Labellers) -> list[str]:
    """Return the columns that name the row of a label: those that are unique with the labeller, or the question."""
    if training.served:
        return list(answer_columns(training.service))
    for names in training.contract.uniques:
        if labellers.column in names and len(names) > 1:
            return [name for name in names if name != labellers.column]
    return [*training.service.request_columns, EVENT_TIMESTAMP]


def _require_known(
    rows: pl.DataFrame, mature: pl.DataFrame, training: TrainingSet, as_of: datetime | None
) -> None:
    if as_of is not None and rows.height and mature.is_empty():
        raise ContractError(
            f"training set {training.name!r}: no label was known at {as_of.isoformat()}; all {counted(rows.height, 'row')} "
            "would be left out",
            hint="build it later, or check `matures` and `as_of`",
        )


def _mature(rows: pl.DataFrame, training: TrainingSet, as_of: datetime | None) -> pl.DataFrame:
    """Keep the rows whose label is known at a timestamp.

    A row without a timestamp stays, and so do all rows if a timestamp has another dtype: the gate refuses them. Labels of
    answers have no timestamp of the row until they have the answer.
    """
    known = training.matures or Known()
    has_row = not training.served or EVENT_TIMESTAMP in rows.columns
    needed = (*known.columns, *([EVENT_TIMESTAMP] if has_row else []))
    if as_of is None or not all(_is_time(rows.schema.get(name)) for name in needed):
        return rows
    limit = microseconds(as_of)
    is_known = known.timestamp() <= limit
    if not has_row:
        return rows.filter(is_known)
    is_past = Known((EVENT_TIMESTAMP,)).timestamp() <= limit
    return rows.filter((is_past & is_known) | pl.col(EVENT_TIMESTAMP).is_null())


def _is_time(dtype: pl.DataType | None) -> bool:
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
