"""The gate of requests: checks request values against the contracts of on-demand views.

Serving and training refuse the same values with the same message: each row is checked by the rules
of `row_gate`, whether it comes alone or in a frame.
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
        Declares the keys and the request values.

    Attributes
    ----------
    uncompiled
        The rules that only Polars decides. With one of them, each request takes about a millisecond longer.
    """

    def __init__(self, service: FeatureService) -> None:
        columns = (*service.key_schema, *service.request_schema)
        gates = map(row_gate, dict.fromkeys(view.request for view in service.on_demand))
        self._gates = [(gate, _selector(gate, columns)) for gate in gates if gate.rules]
        # The rules are compiled now, and not at the first request.
        self.uncompiled = [rule for gate, _ in self._gates for rule in gate.compiled.others]

    def check_rows(self, rows: Sequence[Sequence[Any]]) -> None:
        """Check rows given as Python values: the service's keys, then its request values.

        Raises
        ------
        ContractError
            If a value breaks its contract; names all breaches.
        """
        breaches = [gate.breaches(list(map(select, rows))) for gate, select in self._gates]
        if any(breaches):
            refuse(breaches)

    def check_frame(self, frame: pl.DataFrame) -> None:
        """Check the rows of a frame in the declared dtypes; raises as `check_rows` does."""
        refuse([gate.breaches_in(frame.select(gate.contract.schema.names())) for gate, _ in self._gates])


def _selector(gate: RowGate, columns: Sequence[str]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    positions = [columns.index(name) for name in gate.contract.schema]
    first = positions[0]
    end = positions[-1] + 1
    if positions == list(range(first, end)):
        return itemgetter(slice(first, end))
    return itemgetter(*positions)
