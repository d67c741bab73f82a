"""What a push and a deletion did, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.project import DeletePlan, Pushed


def pushed_text(done: Pushed) -> str:
    """Say what a push wrote, why rows of it wrote nothing, and whether the active release has the rows."""
    lines = [
        f"{done.view}: {counted(done.rows, 'row')} pushed, {done.written:,} written; until {done.until.isoformat()}"
    ]
    if done.repeated:
        lines.append(f"  {done.repeated:,} not written: the same row was pushed at the same time before")
    if done.pending and done.pending_until is not None:
        lines.append(
            f"  {done.pending:,} not written yet: known at {done.pending_until.isoformat()} or before; "
            "then run: featurestore materialize"
        )
    if done.deleted:
        lines.append(
            f"  {done.deleted:,} not written: the key was deleted at the time of the event or after it"
        )
    if done.older:
        lines.append(f"  {done.older:,} not written: the store holds a newer row of the key")
    if done.release is not None:
        lines.append(f"  release {done.release}, which is active, has the rows too")
    if done.not_reached is not None:
        lines.append(
            f"  release {done.not_reached}, which is active, does not have the rows: it has another schema of "
            "the view, or does not have the view; run: featurestore release"
        )
    return "\n".join(lines)


def deleted_text(plan: DeletePlan, count: int) -> str:
    """Say how many keys were deleted, stored and deleted already, and from which release they are deleted too."""
    text = f"{plan.view}: {counted(count, 'key')} deleted"
    if plan.stored < count:
        text += f", {plan.stored:,} of them stored"
    if count < plan.keys:
        text += f", {plan.keys - count:,} were deleted already"
    if plan.release is not None:
        text += f"; release {plan.release}, which is active, does not have them either"
    return text
