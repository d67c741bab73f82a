"""Tables of a notebook: what ``_repr_html_`` of our objects returns."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_ROWS = 20


def html_table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table as HTML: escaped, numbers with thousands separators, at most 20 rows and how many more there are."""
    cells = [[_text(value) for value in row] for row in rows]
    lines = [f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in cells[:MAX_ROWS]]
    more = f"<p>… and {len(cells) - MAX_ROWS:,} more</p>" if len(cells) > MAX_ROWS else ""
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>" if cells else ""
    return f"<div><p><strong>{escape(title)}</strong></p>{body}{more}</div>"


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)
