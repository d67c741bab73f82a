"""What moved since the data before, in sentences: for the page of a dataset, and for whether it can be relied on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.change.anomalies import anomalies
from featurestore.quality.change.drift import drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.change.history import Run
    from featurestore.quality.profile.profile import Profile


def moved(
    contract: Contract, runs: Sequence[Run], before: Profile | None, now: Profile | None
) -> tuple[str, ...]:
    """Tell what the last run found that its history does not lead one to expect, and which columns drifted.

    Parameters
    ----------
    before, now
        Profiles of the data before and of those in place; None: there are none.
    """
    told = [
        f"{a.metric} is {a.value:,.6g}, where {a.low:,.6g} to {a.high:,.6g} was expected, since {a.since:%Y-%m-%d}"
        for a in anomalies(runs)
    ]
    if before is not None and now is not None:
        columns = drift(before, now, contract.columns).columns
        told += [f"{c.column} drifted: {'; '.join(c.reasons)}" for c in columns if c.severity == "strong"]
    return tuple(told)
