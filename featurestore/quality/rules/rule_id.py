"""The identity of a rule or metric: data, from which the printed name is derived. Nothing reads a name back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class RuleId(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule asks, of which columns.

    Attributes
    ----------
    kind
        Such as ``not_null``, ``in_range``, ``fresh``; of a user's own check its name.
    columns
        The columns that the rule reads, the one that it speaks of first; empty for a rule over whole rows or the dataset.
    parameters
        What else makes the rule the one it is, as text in printed order, such as ``("-120", "3000")``.
    """

    kind: str
    columns: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The printed name, such as ``dep_delay.in_range(-120, 3000)``."""
        return _PRINTERS.get(self.kind, _printed)(self)

    def __str__(self) -> str:
        return self.name


def _printed(rule: RuleId) -> str:
    subject = f"{', '.join(rule.columns)}." if rule.columns else ""
    return f"{subject}{rule.kind}{_in_parentheses(rule.parameters)}"


def _unique(rule: RuleId) -> str:
    return _printed(rule) if len(rule.columns) == 1 else f"unique({', '.join(rule.columns)})"


def _gap(rule: RuleId) -> str:
    column, *groups = rule.columns
    by = f" by {', '.join(groups)}" if groups else ""
    return f"{column}.gap({', '.join(rule.parameters)}{by})"


def _one_label(rule: RuleId) -> str:
    label, *inputs = rule.columns
    return f"{label}.one_label({', '.join([*inputs, *rule.parameters])})"


def _sums_agree(rule: RuleId) -> str:
    column, *groups = rule.columns
    by = f" by {', '.join(groups)}" if groups else ""
    return f"{column}.sums_agree({', '.join(rule.parameters)}{by})"


def _segments(part: str) -> Callable[[RuleId], str]:
    return lambda rule: f"segments({', '.join(rule.columns)}).{part}{_in_parentheses(rule.parameters)}"


def _in_parentheses(parameters: tuple[str, ...]) -> str:
    return f"({', '.join(parameters)})" if parameters else ""


_PRINTERS: dict[str, Callable[[RuleId], str]] = {
    "unique": _unique,
    "gap": _gap,
    "one_label": _one_label,
    "sums_agree": _sums_agree,
    "missing_segments": _segments("missing"),
    "segment_rows": _segments("rows"),
}
