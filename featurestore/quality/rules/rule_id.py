"""The identity of a rule or metric: data, from which the printed name is derived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class RuleId(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule requires, of which columns.

    Attributes
    ----------
    kind
        Such as ``not_null``, ``in_range``, ``fresh``; for a user's own check its name.
    columns
        The columns that the rule reads, its subject first; empty for a rule over whole rows or the
        dataset.
    parameters
        Everything else that tells the rule from others of its kind, as text in printed order, such
        as ``("-120", "3000")``.
    """

    kind: str
    columns: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The printed name, such as ``dep_delay.in_range(-120, 3000)``."""
        return _PRINTERS.get(self.kind, _printed)(self) if self.columns else self.condition

    @property
    def condition(self) -> str:
        """The printed name without the columns, such as ``in_range(-120, 3000)``."""
        return f"{self.kind}{_in_parentheses(', '.join(self.parameters))}"

    def __str__(self) -> str:
        return self.name


def _printed(rule: RuleId) -> str:
    return f"{', '.join(rule.columns)}.{rule.condition}"


def _unique(rule: RuleId) -> str:
    return _printed(rule) if len(rule.columns) == 1 else f"unique({', '.join(rule.columns)})"


def _by_groups(rule: RuleId) -> str:
    column, *groups = rule.columns
    by = f" by {', '.join(groups)}" if groups else ""
    return f"{column}.{rule.kind}{_in_parentheses(', '.join(rule.parameters) + by)}"


def _one_label(rule: RuleId) -> str:
    label, *inputs = rule.columns
    return f"{label}.one_label{_in_parentheses(', '.join([*inputs, *rule.parameters]))}"


def _segments(part: str) -> Callable[[RuleId], str]:
    return lambda rule: (
        f"segments({', '.join(rule.columns)}).{part}{_in_parentheses(', '.join(rule.parameters))}"
    )


def _key_length(rule: RuleId) -> str:
    return f"key.at_most_{', '.join(rule.parameters)}_bytes"


def _in_parentheses(text: str) -> str:
    return f"({text})" if text else ""


_PRINTERS: dict[str, Callable[[RuleId], str]] = {
    "unique": _unique,
    "gap": _by_groups,
    "one_label": _one_label,
    "sums_agree": _by_groups,
    "missing_segments": _segments("missing"),
    "segment_rows": _segments("rows"),
    "key_length": _key_length,
}
