"""The gate of requests: the request values of a service against the contracts of its on-demand views.

ActiveRelease and training refuse the same values in the same words: each row is checked by the rules of `row_gate`, whether it
comes alone or in a frame.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from featurestore.quality.gate.row_gate import refuse, row_gate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.quality.gate.row_gate import RowGate


class RequestGate:
    """The gates of a service's on-demand views.

    Parameters
    ----------
    service
        Says which values are asked for.
    """

    def __init__(self, service: FeatureService) -> None:
        columns = (*service.key_schema, *service.request_schema)
        gates = map(row_gate, dict.fromkeys(view.request for view in service.on_demand))
        self._gates = [(gate, _taking(gate, columns)) for gate in gates if gate.rules]

    def check_rows(self, rows: Sequence[Sequence[Any]]) -> None:
        """Check rows given as Python values: the service's keys, then its request values.

        Raises
        ------
        ContractError
            If a value breaks its contract; says all that is wrong.
        """
        refuse([gate.broken([take(row) for row in rows]) for gate, take in self._gates])

    def check_frame(self, frame: pl.DataFrame) -> None:
        """Check rows given as a frame, whose columns have the declared dtypes; errors are those of `check_rows`."""
        refuse([gate.broken_in(frame.select(gate.contract.schema.names())) for gate, _ in self._gates])


def _taking(gate: RowGate, columns: Sequence[str]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    places = [columns.index(name) for name in gate.contract.schema]
    first, last = places[0], places[-1] + 1
    if places == list(range(first, last)):
        return itemgetter(slice(first, last))
    return itemgetter(*places)
