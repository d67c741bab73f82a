"""What a draft assumes, and what it asks the person who knows the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from featurestore.quality.profile.own_file import OwnFileDraft


_WITHOUT_ZONE: Final = tuple(pl.Datetime(unit) for unit in ("ms", "us", "ns"))


def assumptions(drafted: OwnFileDraft, null_words: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return what the draft takes for true, each as a sentence.

    Parameters
    ----------
    null_words
        The words that stand for a missing value, by the column that has them in the place of a number or date.
    """
    return tuple(_assumptions(drafted, null_words))


def questions(
    drafted: OwnFileDraft, doubtful: Mapping[str, tuple[str, ...]], *, is_csv: bool
) -> tuple[str, ...]:
    """Return what the data do not tell.

    Parameters
    ----------
    doubtful
        For each column of text, words that might stand for a missing value.
    is_csv
        Whether the source is a CSV file, which `null_values` are for.
    """
    remedy = "add it to null_values" if is_csv else "write null into the file"
    return tuple(_questions(drafted, doubtful, remedy))


def _assumptions(drafted: OwnFileDraft, null_words: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    draft, readings = drafted.draft, drafted.readings
    for word in dict.fromkeys(word for words in null_words.values() for word in words):
        columns = [column for column, words in null_words.items() if word in words]
        yield f"{word!r} stands for a missing value in all columns (seen in {', '.join(columns)})"
    for column, reading in readings.items():
        if reading.text_format is not None:
            yield f"{column} is written as {reading.text_format}{', in UTC' if reading.lacks_zone else ''}"
    if draft.key:
        yield f"{' and '.join(draft.key)} identify a row together"
    elif draft.unique:
        yield f"{draft.unique[0]} identifies a row"
    elif draft.rows:
        yield "no column identifies a row"
    counts = ", ".join(
        f"{count.broken:,} x {count.name}" for count in drafted.verdict.rules if not count.warning
    )
    yield f"bad rows go to quarantine, up to {draft.tolerance:.0%} of all{f' ({counts})' if counts else ''}"


def _questions(drafted: OwnFileDraft, doubtful: Mapping[str, tuple[str, ...]], remedy: str) -> Iterator[str]:
    draft = drafted.draft
    if draft.perhaps_unique and not (draft.unique or draft.key):
        column = draft.perhaps_unique[0]
        yield f"{column}: no value repeats; does it identify a row? Then add unique=True"
    if draft.late is not None:
        late = draft.late
        yield (
            f"{late.column}: it is after {late.event} in {late.later:,} of {counted(late.rows, 'row')}; is a row known only "
            'then? Then remove the "#" before "known"; if only some columns are, declare it at these'
        )
    for field in drafted.draft.fields:
        reading = drafted.readings.get(field.column)
        if field.metadata.get("unit") == "?":
            yield f'{field.column}: which unit? Write "1" for a share or a ratio'
        if field.null_share == 1:
            yield f"{field.column}: all values are missing; which dtype has it? It is text now"
        if reading is not None and reading.other_format is not None:
            yield f"{field.column}: {reading.text_format} or {reading.other_format}? Both fit all values"
        if (reading is not None and reading.lacks_zone) or field.dtype in _WITHOUT_ZONE:
            yield f"{field.column}: is it in UTC? A feature view needs UTC"
        for doubt in drafted.doubts.get(field.column, ()):
            yield f"{field.column}: {doubt}"
        for word in doubtful.get(field.column, ()):
            yield f"{field.column}: does {word!r} stand for a missing value? Then {remedy}"
