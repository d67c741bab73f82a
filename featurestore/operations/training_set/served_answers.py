"""Answers in the served log, as the rows of a training set: who was asked about, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import polars as pl

from featurestore.definitions.entity_rows import answer_columns
from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import MissingDataError, SkewError
from featurestore.storage import served_columns as columns
from featurestore.storage.fingerprint import fingerprint as digest_of
from featurestore.storage.parquet import scan_files
from featurestore.storage.served_log import files_by_definition, nothing_logged, served_files
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.bits import bits_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.workspace import Workspace

# The column with the number of an answer.
ANSWER: Final = "__answer"
_LOGGED: Final = "__logged"


class OtherDefinition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Answers that another definition of the service gave.

    Attributes
    ----------
    release
        The release that gave them; ``"working"``: the project itself.
    definition
        Digest of the definition.
    answers
        How many there are in the log.
    lacking
        Keys and request values that they lack, or have in another dtype: these answers are left out. Empty: the
        answers are used, with the features of the definition now.
    """

    release: str
    definition: str
    answers: int
    lacking: tuple[str, ...] = ()


class ServedAnswers(NamedTuple):
    """The served log of a service, as far as its rows can be those of a training set.

    Attributes
    ----------
    rows
        Keys, request values, timestamp and request id, each question once, with the number of the answer.
    digest
        Digest of these columns of all answers.
    repeated
        How many answers repeat a question.
    others
        Answers of other definitions.
    own
        The files with answers of the definition now.
    """

    rows: pl.DataFrame
    digest: str
    repeated: int
    others: tuple[OtherDefinition, ...]
    own: tuple[Path, ...]


def served_answers(workspace: Workspace, training: TrainingSet, as_of: datetime | None) -> ServedAnswers:
    """Read the answers up to a timestamp. None: all.

    Raises
    ------
    MissingDataError
        If no answer was logged by then, or no answer has the keys and request values of the service now.
    """
    service = training.service
    schema = {name: column.dtype for name, column in answer_columns(service).items()}
    digest = _digest(workspace, service)
    parts = [pl.DataFrame(schema=schema)]
    others: list[OtherDefinition] = []
    own: list[Path] = []
    logged = files_by_definition(served_files(service.name, workspace.layout))
    for (release, definition), paths in logged.items():
        scan = pl.concat([scan_files(path) for path in paths], how="diagonal")
        if as_of is not None:
            scan = scan.filter(pl.col(EVENT_TIMESTAMP) <= as_of)
        dtypes = scan.collect_schema()
        lacking = tuple(name for name, dtype in schema.items() if dtypes.get(name) != dtype)
        if not lacking:
            parts.append(scan.select(*schema).collect(engine="streaming"))
        if definition == digest:
            own += paths
            continue
        count = scan.select(pl.len()).collect().item() if lacking else parts[-1].height
        others.append(OtherDefinition(release=release, definition=definition, answers=count, lacking=lacking))
    answers = pl.concat(parts)
    if answers.is_empty():
        which = "yet" if as_of is None else f"by {as_of.isoformat()}"
        if others:
            which = f"with {', '.join(schema)}"
        raise nothing_logged(service.name, workspace.layout, which)
    return _each_question_once(answers, training, tuple(others), tuple(own))


def _each_question_once(
    answers: pl.DataFrame, training: TrainingSet, others: tuple[OtherDefinition, ...], own: tuple[Path, ...]
) -> ServedAnswers:
    """Keep the newest answer of those that a label cannot tell apart, and that were asked the same."""
    in_order = answers.sort(EVENT_TIMESTAMP, pl.all().exclude(EVENT_TIMESTAMP), maintain_order=True)
    question = [
        name
        for name in answers.columns
        if name in training.contract or name not in (EVENT_TIMESTAMP, columns.REQUEST_ID)
    ]
    rows = in_order.unique(question, keep="last", maintain_order=True).with_row_index(ANSWER)
    return ServedAnswers(rows, digest_of(in_order), answers.height - rows.height, others, own)


def count_different_cells(joined: pl.DataFrame, training: TrainingSet, log: ServedAnswers) -> int | None:
    """Count the cells of a training set that are not what the answer was.

    Parameters
    ----------
    joined
        The rows of the training set, with features.

    Returns
    -------
    int or None
        None: no answer is of the definition now, or the service has steps, so that its answers have other features.
    """
    service = training.service
    if service.steps or not log.own:
        return None
    keys = list(answer_columns(service))
    scans = [scan_files(path).select(*keys, *service.feature_names) for path in log.own]
    # Answers of one request to one question at one time are equal. Without a subset, a lazy `unique` loses the sign of zero.
    rows = joined.lazy().select(*keys, *service.feature_names).unique(keys)
    logged = pl.concat(scans).join(rows, on=keys, how="semi", nulls_equal=True).unique(keys)
    pairs = rows.join(logged, on=keys, nulls_equal=True, suffix=_LOGGED)
    is_different = [
        bits_of(pl.col(name), dtype).ne_missing(bits_of(pl.col(f"{name}{_LOGGED}"), dtype)).sum().alias(name)
        for name, dtype in service.feature_schema.items()
    ]
    pair_count, *counts = pairs.select(pl.len(), *is_different).collect().row(0)
    return sum(counts) if pair_count else None


def _digest(workspace: Workspace, service: FeatureService) -> str:
    """Return the digest by which the log names the definition that answers now."""
    try:
        return fingerprint(workspace.fitted(service)).digest
    except (MissingDataError, SkewError):
        # Its steps are not fitted to this definition yet: nothing that was served is of it.
        return fingerprint(service).digest
