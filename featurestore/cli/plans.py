"""Text of plans: what a command would change, printed by ``--dry-run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.cli.output import table
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from featurestore.project import (
        ApplyPlan,
        DeletePlan,
        MaterializePlan,
        PrunePlan,
        ReleasePlan,
        RollbackPlan,
    )

NOTHING_CHANGED = "dry run: nothing was changed"


def apply_text(plan: ApplyPlan) -> str:
    """List what is added, changed and removed, what differs, what breaks readers, and what to make again."""
    groups = (("added", plan.added), ("changed", plan.changed), ("removed", plan.removed))
    lines = [f"{word} {name}" for word, names in groups for name in names]
    lines += [
        f"breaking {change.view}.{change.column}: {change.change} (read by {', '.join(change.readers)})"
        for change in plan.breaking
    ]
    lines += [
        f"{change.kind} {change.name}: {difference.text}"
        for change in plan.differences
        for difference in change.differences
    ]
    if plan.outdated:
        lines.append("made by other definitions; make again with `dvc repro`, or with:")
        commands = dict.fromkeys(item.command for item in plan.outdated)
        width = max(map(len, commands))
        for command in commands:
            names = ", ".join(f"{item.kind} {item.name}" for item in plan.outdated if item.command == command)
            lines.append(f"  {command:<{width}}  # {names}")
    return "\n".join(lines) or "nothing changed"


def materialize_plan_text(plan: MaterializePlan) -> str:
    """Show, for each view, from which watermark it is brought to the timestamp, and why it is written in full."""
    rows = [("view", "since", "mode", "reason")]
    rows += [
        (
            view.view,
            "" if view.since is None else _utc(view.since),
            "incremental" if view.full is None else "full",
            view.full or "",
        )
        for view in plan.views
    ]
    return f"until {plan.until.isoformat()}\n{table(rows)}\n{NOTHING_CHANGED}"


def delete_plan_text(plan: DeletePlan) -> str:
    """Show how many keys are deleted, how many of them are stored, and the release that also loses them."""
    where = "the project" if plan.release is None else f"the project and release {plan.release}"
    return (
        f"{plan.view}: {counted(plan.keys, 'key')} to remove from {where}, {plan.stored:,} of them stored; "
        f"at {plan.at.isoformat()}\n{NOTHING_CHANGED}"
    )


def release_plan_text(plan: ReleasePlan) -> str:
    """Say which release is made, what it holds, what it replaces and which releases are removed."""
    rows = [("view", "materialized until"), *((view, _utc(until)) for view, until in plan.views.items())]
    return "\n".join(
        [
            f"release {plan.name}: {counted(len(plan.services), 'service')}, {counted(len(plan.views), 'view')}; replaces {_served(plan.replaces)}",
            table(rows),
            f"releases to remove: {_listed(plan.removes)}",
            NOTHING_CHANGED,
        ]
    )


def rollback_plan_text(plan: RollbackPlan) -> str:
    """Say which release is served, what it replaces, and which views are brought up to date."""
    return (
        f"release {plan.release} replaces {_served(plan.replaces)}; views to bring up to date: {', '.join(plan.views)}\n"
        f"{NOTHING_CHANGED}"
    )


def prune_plan_text(plan: PrunePlan) -> str:
    """List the releases that are removed and the releases that stay."""
    return (
        f"releases to remove: {_listed(plan.removes)}\n"
        f"releases to keep: {_listed(plan.keeps)}\n{NOTHING_CHANGED}"
    )


def _served(release: str | None) -> str:
    return "the project itself" if release is None else f"release {release}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _utc(timestamp: datetime) -> str:
    return f"{timestamp:%Y-%m-%d %H:%M:%SZ}"
