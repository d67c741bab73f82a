"""Labels of answers: find the row in the served log that each label is of, and count what has no partner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from featurestore.definitions.entity_rows import answer_columns
from featurestore.errors import ContractError
from featurestore.operations.check_leaks.record import utc_text
from featurestore.operations.training_set.served_answers import ANSWER, OtherDefinition
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.wording import counted, named_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.operations.training_set.served_answers import ServedAnswers

MAX_NAMED: Final = 5
_LABEL: Final = "__label"
_NEAREST: Final = "__nearest"


class ServedCounts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What labels of answers found in the served log.

    Attributes
    ----------
    answers
        Answers in the log that a label can be of, each question once.
    unlabelled
        Answers without a label that is known.
    repeated
        Answers that repeat a request: the newest of them counts.
    unserved
        Labels without an answer.
    unserved_answers
        How many answers they name: several labellers may have labelled the same.
    other_time
        Labels without an answer whose keys have an answer at another time.
    first_other_time
        The first of them, and the time of the nearest answer of its keys, as text.
    first_unserved
        The answers that the first of them name, each once, as text.
    different
        Cells of the training set that are not what the answer was. None: not compared, because other definitions
        answered, or the service has steps.
    others
        Answers of other definitions of the service.
    """

    answers: int
    unlabelled: int
    repeated: int = 0
    unserved: int = 0
    unserved_answers: int = 0
    other_time: int = 0
    first_other_time: str | None = None
    first_unserved: tuple[str, ...] = ()
    different: int | None = None
    others: tuple[OtherDefinition, ...] = ()


def join_answers(labels: pl.DataFrame, training: TrainingSet, log: ServedAnswers) -> pl.DataFrame:
    """Give each label the row that was asked about.

    Returns
    -------
    pl.DataFrame
        The columns of the labels and of the answers, with the number of the answer; null: the label has none.

    Raises
    ------
    ContractError
        If no label has an answer, or a label has several.
    """
    names = _join_columns(training)
    numbered = labels.with_row_index(_LABEL)
    joined = numbered.join(log.rows, on=names, how="left", nulls_equal=True, maintain_order="left")
    where, named = f"training set {training.name!r}", _namer(training, names)
    if joined[ANSWER].null_count() == joined.height:
        raise ContractError(
            f"{where}: none of {counted(labels.height, 'label')} is of one of the {counted(log.rows.height, 'answer')} in "
            f"the served log, such as that of {named(log.rows.row(0, named=True))}; the first label is of "
            f"{named(labels.row(0, named=True))}",
            hint="the request id is the header x-request-id of an answer, the timestamp its as_of",
        )
    several = joined.filter(pl.len().over(_LABEL) > 1)
    if several.height:
        first = several.row(0, named=True)
        of_first = several.filter(pl.col(_LABEL) == first[_LABEL])
        differing = [
            name
            for name in answer_columns(training.service)
            if name not in names and of_first[name].n_unique() > 1
        ]
        raise ContractError(
            f"{where}: {counted(several[_LABEL].n_unique(), 'label')} of several answers, first {named(first)}; the answers "
            f"differ in {', '.join(differing)}",
            hint=f"add to the labels, and to schema {training.contract.name}, the columns that distinguish them: {', '.join(differing)}",
        )
    return joined.drop(_LABEL)


def require_one_label(labels: pl.DataFrame, training: TrainingSet) -> None:
    """Refuse an answer with several labels.

    Raises
    ------
    ContractError
        If there is one.
    """
    again = labels.filter(pl.len().over(ANSWER) > 1)
    if again.height:
        named = _namer(training, _join_columns(training))
        raise ContractError(
            f"training set {training.name!r}: {counted(again[ANSWER].n_unique(), 'answer')} with several labels, first "
            f"{named(again.row(0, named=True))}",
            hint='declare which label counts: labellers=labelled_by("labeller", policy="majority"); or keep one label in '
            "the function",
        )


def served_counts(
    joined: pl.DataFrame, labelled: pl.DataFrame, training: TrainingSet, log: ServedAnswers
) -> ServedCounts:
    """Count answers without a label, and labels without an answer.

    Parameters
    ----------
    joined
        All labels, as `join_answers` returns them.
    labelled
        Those of an answer, that are known.
    """
    unserved = joined.filter(pl.col(ANSWER).is_null())
    names = _join_columns(training)
    rows = unserved.unique(names, keep="first", maintain_order=True)
    named = _namer(training, names)
    near = _at_another_time(unserved.select(names), names, log)
    return ServedCounts(
        answers=log.rows.height,
        unlabelled=log.rows.height - labelled[ANSWER].n_unique(),
        repeated=log.repeated,
        unserved=unserved.height,
        unserved_answers=rows.height,
        other_time=near.height,
        first_other_time=f"{named(near.row(0, named=True))}, answer at {utc_text(near[_NEAREST][0])}"
        if near.height
        else None,
        # Several labellers may have labelled what has no answer: it is named once.
        first_unserved=tuple(named(row) for row in rows.head(MAX_NAMED).iter_rows(named=True)),
        others=log.others,
    )


def _at_another_time(unserved: pl.DataFrame, names: list[str], log: ServedAnswers) -> pl.DataFrame:
    """Return the labels by keys and time whose keys have an answer, with the time of the nearest one."""
    by = [name for name in names if name != EVENT_TIMESTAMP]
    if EVENT_TIMESTAMP not in names or not by:
        return unserved.clear()
    answers = log.rows.select(*names, pl.col(EVENT_TIMESTAMP).alias(_NEAREST)).sort(EVENT_TIMESTAMP)
    nearest = unserved.sort(EVENT_TIMESTAMP, maintain_order=True).join_asof(
        answers, on=EVENT_TIMESTAMP, by=by, strategy="nearest", check_sortedness=False
    )
    return nearest.filter(pl.col(_NEAREST).is_not_null())


def _join_columns(training: TrainingSet) -> list[str]:
    return [name for name in answer_columns(training.service) if name in training.contract]


def _namer(training: TrainingSet, names: list[str]) -> Callable[[dict[str, Any]], str]:
    """Return what writes the columns by which a label finds its answer, without personal values."""
    personal = training.entity_rows.personal
    return lambda row: named_values(row, names, personal)
