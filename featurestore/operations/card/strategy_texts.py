"""Sentences for people about how rows of a training set were split and sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.splits.declare import RandomSplit
from featurestore.splits.sample import ClassSample, RandomSample
from featurestore.values.escapes import one_line
from featurestore.values.wording import duration_text

if TYPE_CHECKING:
    from featurestore.splits.declare import SplitStrategy
    from featurestore.splits.sample import SampleStrategy


def split_text(strategy: SplitStrategy, identity: tuple[str, ...]) -> str:
    """Say how a strategy assigns rows to splits.

    Parameters
    ----------
    identity
        The columns that identify a row.
    """
    if isinstance(strategy, RandomSplit):
        shares = ", ".join(f"{name} {share:.1%}" for name, share in strategy.shares.items())
        text = f"By chance, with seed {strategy.seed}: {shares}. "
        text += f"Rows with equal {_and(strategy.by or identity)} are in one split."
        if strategy.stratify:
            text += f" Every split has each value of {_and(strategy.stratify)}."
        return text
    begins = {"validation": strategy.validation_from, "test": strategy.test_from}
    starts = ", ".join(f"{name} from {at.isoformat()}" for name, at in begins.items() if at is not None)
    gap = (
        f" Rows of the last {duration_text(strategy.gap)} before a split are left out."
        if strategy.gap
        else ""
    )
    return f"By time: {starts}.{gap}"


def sample_text(strategy: SampleStrategy, *, is_personal: bool) -> str:
    """Say which rows of train a strategy keeps or repeats.

    Parameters
    ----------
    is_personal
        Whether values of the label must not be shown.
    """
    seed = f"with seed {strategy.seed}"
    if isinstance(strategy, RandomSample):
        each = f" of each value of {_and(strategy.stratify)}" if strategy.stratify else ""
        together = f" Rows with equal {_and(strategy.by)} stay together." if strategy.by else ""
        return f"By chance, {seed}: {strategy.share:.1%} of the rows{each}.{together}"
    if isinstance(strategy, ClassSample):
        how = (
            "rows of rare classes are repeated"
            if strategy.repeats
            else "rows of frequent classes are left out"
        )
        shares = ", ".join(f"{one_line(value)} {share:.1%}" for value, share in strategy.shares.items())
        return f"By class, {seed}: {how}, to {'declared' if is_personal else shares or 'equal'} shares."
    return f"Every {strategy.every:,}th row in the order of time, {seed}."


def _and(names: tuple[str, ...]) -> str:
    return " and ".join(names)
