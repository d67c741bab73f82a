"""The verdict of the gate: how many rows came, passed and were kept back, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

Decision = Literal["passed", "quarantined", "refused"]


class RuleCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rule was broken.

    Attributes
    ----------
    examples
        Up to three of the values that broke it, as text.
    whole
        Set, and True, where it speaks of the dataset as a whole: then `broken` counts no rows.
    """

    rule: str
    columns: tuple[str, ...]
    warning: bool
    broken: int
    examples: tuple[str, ...] = ()
    whole: bool | UnsetType = UNSET


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate found. ``rows_in == rows_passed + rows_quarantined``, always.

    Attributes
    ----------
    rules
        The rules that were broken at least once, worst first; a row may break several.
    nulls
        Missing values by column, of the rows that passed; columns without any are left out.
    measured
        What was measured of the dataset as a whole, by rule, whether broken or not.
    unevaluated
        Expectations that could not be evaluated, and why; they are no passes.
    checked
        The names of all rules that were checked, broken or not. Known right after the gate; records leave it out, as the
        contract says it.
    """

    dataset: str
    contract: str
    decision: Decision
    rows_in: int
    rows_passed: int
    rows_quarantined: int
    rules: tuple[RuleCount, ...] = ()
    nulls: dict[str, int] = {}
    measured: dict[str, float | timedelta | None] = {}
    unevaluated: dict[str, str] = {}
    checked: tuple[str, ...] | UnsetType = UNSET

    def record(self) -> Verdict:
        """Return it as it is kept."""
        return msgspec.structs.replace(self, checked=UNSET)

    def explain(self, most: int = 5) -> str:
        """Say in a few lines which rules were broken, how often, and by what."""
        lines = [
            f"  {count.broken:,} x {count.rule}{' (warning)' if count.warning else ''}"
            + (f", such as {', '.join(count.examples)}" if count.examples else "")
            for count in self.rules[:most]
        ]
        if len(self.rules) > most:
            lines.append(f"  … and {len(self.rules) - most} more rules")
        lines += [f"  not evaluated: {kind} ({lacking})" for kind, lacking in self.unevaluated.items()]
        return "\n".join(lines)
