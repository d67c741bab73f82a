"""The verdict of the gate: how many rows passed, and which rules were broken."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType, structs

from featurestore.quality.rules.rule_id import RuleId
from featurestore.values.html_table import html_table
from featurestore.values.wording import counted

Decision = Literal["passed", "quarantined", "refused"]


class Measurement(msgspec.Struct, frozen=True, kw_only=True, rename={"rule": "id", "name": "rule"}):
    """What a rule over the whole dataset measured.

    In JSON, ``id`` holds `rule` and ``rule`` holds `name`.

    Attributes
    ----------
    rule
        Which rule.
    value
        The measured value; None where it could not be computed or is personal.
    name
        The printed name; always derived from `rule`.
    """

    rule: RuleId
    value: float | timedelta | None
    name: str = ""

    def __post_init__(self) -> None:
        structs.force_setattr(self, "name", self.rule.name)


class Unevaluated(msgspec.Struct, frozen=True, kw_only=True, rename={"rule": "id", "name": "rule"}):
    """An expectation that could not be evaluated.

    In JSON, ``id`` holds `rule` and ``rule`` holds `name`.

    Attributes
    ----------
    reason
        What is missing, such as ``"the current time is not known"``.
    name
        The printed name; always derived from `rule`.
    """

    rule: RuleId
    reason: str
    name: str = ""

    def __post_init__(self) -> None:
        structs.force_setattr(self, "name", self.rule.name)


class RuleCount(msgspec.Struct, frozen=True, kw_only=True, rename={"rule": "id", "name": "rule"}):
    """How often a rule was broken. In JSON, ``id`` holds `rule` and ``rule`` holds `name`.

    Attributes
    ----------
    rule
        Which rule.
    broken
        How many rows broke it; 1 where `whole_dataset`.
    examples
        Up to three of the values that broke it, or the one that was measured, as text.
    whole_dataset
        True where the rule decides about the whole dataset and blames no row.
    after_removal
        True where the rule was broken only after the bad rows were removed.
    name
        The printed name; always derived from `rule`.
    """

    rule: RuleId
    warning: bool
    broken: int
    examples: tuple[str, ...] = ()
    whole_dataset: bool = False
    after_removal: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        structs.force_setattr(self, "name", self.rule.name)

    @property
    def label(self) -> str:
        """The printed name, and whether the rule was broken only after bad rows were removed."""
        return f"{self.name}, after bad rows were removed" if self.after_removal else self.name


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided. ``rows_in == rows_passed + rows_quarantined``, always.

    Attributes
    ----------
    rules
        The rules that were broken at least once: errors before warnings, the most often broken
        first. A row may break several.
    nulls
        Null values by column, of the rows that passed; columns without nulls are left out.
    rounded
        Values in which a fraction was rounded to the nearest float of the declared dtype, by column. No rule is
        broken: both training and serving see the rounded value. Left out where nothing was rounded.
    measured
        What rules over the whole dataset measured, whether broken or not.
    unevaluated
        The expectations that could not be evaluated; they do not count as kept.
    checked
        All rules that were checked, broken or not. Set right after the gate; `record` leaves it
        out, because the contract says it.
    """

    dataset: str
    contract: str
    decision: Decision
    rows_in: int
    rows_passed: int
    rows_quarantined: int
    rules: tuple[RuleCount, ...] = ()
    nulls: dict[str, int] = {}
    measured: tuple[Measurement, ...] = ()
    unevaluated: tuple[Unevaluated, ...] = ()
    rounded: dict[str, int] | UnsetType = UNSET
    checked: tuple[RuleId, ...] | UnsetType = UNSET

    def _repr_html_(self) -> str:
        counts = f"{self.rows_passed:,} of {counted(self.rows_in, 'row')} passed, {self.rows_quarantined:,} in quarantine"
        rows = [
            (count.label, "warning" if count.warning else "error", count.broken, ", ".join(count.examples))
            for count in self.rules
        ]
        title = f"{self.dataset}: {self.decision}; {counts}"
        return html_table(title, ("broken rule", "severity", "rows", "such as"), rows)

    def record(self) -> Verdict:
        """Return the verdict in the form that is kept in files."""
        return structs.replace(self, checked=UNSET)

    def explain(self, limit: int = 5) -> str:
        """Describe in a few lines which rules were broken, how often, and by which values."""
        lines = [
            f"  {count.broken:,} x {count.label}{' (warning)' if count.warning else ''}"
            + (f", such as {', '.join(count.examples)}" if count.examples else "")
            for count in self.rules[:limit]
        ]
        if len(self.rules) > limit:
            lines.append(f"  … and {len(self.rules) - limit:,} more rules")
        lines += [f"  not evaluated: {missing.name} ({missing.reason})" for missing in self.unevaluated]
        if self.rounded is not UNSET:
            counts = ", ".join(f"{name} ({counted(count, 'value')})" for name, count in self.rounded.items())
            lines.append(f"  fractions rounded to the nearest float: {counts}")
        return "\n".join(lines)
