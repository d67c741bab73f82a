"""The data card of a training set: what people declared and what was measured, as Markdown, HTML and Croissant."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from featurestore.values.escapes import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import polars as pl


@dataclass(frozen=True)
class Section:
    """A part of a card: paragraphs, then a table.

    Attributes
    ----------
    head, rows
        The table, as text. Without rows, the card has no table there.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class CardColumn:
    """A column of the training set, as Croissant describes it."""

    name: str
    description: str
    dtype: pl.DataType


@dataclass(frozen=True)
class Card:
    """All that a card shows.

    Attributes
    ----------
    sections
        What people read.
    licence, url, limits, permitted_use
        What the schema declares.
    file
        Path of the Parquet file, relative to the card.
    sha256, size
        Digest, and number of bytes, of this file.
    splits
        Names of the splits. Empty: none are declared.
    version
        Digest of the rows.
    """

    name: str
    description: str
    owner: str
    licence: str
    url: str
    limits: str
    permitted_use: str
    built_at: datetime
    file: str
    sha256: str
    size: int
    columns: tuple[CardColumn, ...]
    splits: tuple[str, ...]
    version: str
    sections: tuple[Section, ...]


def markdown(card: Card) -> str:
    """Write a card as Markdown."""
    lines = [f"# Data card: {_text(card.name)}", "", _text(card.description)]
    for section in card.sections:
        lines += ["", f"## {section.title}"]
        for paragraph in section.paragraphs:
            lines += ["", _text(paragraph)]
        if section.rows:
            lines += ["", *_markdown_table(section)]
    return "\n".join([*lines, ""])


def html(card: Card) -> str:
    """Write a card as a page of HTML, without scripts and without references to other files."""
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Data card: {escape(one_line(card.name))}</title>",
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
        f"<h1>Data card: {escape(one_line(card.name))}</h1>\n<p>{escape(one_line(card.description))}</p>",
    ]
    for section in card.sections:
        parts.append(f"<section>\n<h2>{escape(section.title)}</h2>")
        parts += [f"<p>{escape(one_line(paragraph))}</p>" for paragraph in section.paragraphs]
        if section.rows:
            parts.append("<table>\n<thead>" + _html_row(section.head, "th") + "</thead>\n<tbody>")
            parts += [_html_row(row, "td") for row in section.rows]
            parts.append("</tbody>\n</table>")
        parts.append("</section>")
    return "\n".join([*parts, "</main>\n</body>\n</html>", ""])


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;color:#1b1b1b;background:#fff}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{border-bottom:1px solid #ccc;padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top}"
    "@media (prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}}"
)


def _html_row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(one_line(cell))}</{tag}>" for cell in cells) + "</tr>"


def _markdown_table(section: Section) -> Iterator[str]:
    yield f"| {' | '.join(section.head)} |"
    yield f"|{' --- |' * len(section.head)}"
    for row in section.rows:
        yield f"| {' | '.join(_text(cell).replace('|', '&#124;') for cell in row)} |"


def _text(text: str) -> str:
    """Write text on one line, without marks that Markdown would read as HTML."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;")
