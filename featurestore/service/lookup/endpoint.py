"""One feature service, ready to be asked: its reader, the type of its requests, the names in its answers."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.definitions.digest import service_digest
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.service.api.feast import Wire
from featurestore.service.api.request_types import request_type
from featurestore.timing.epoch import microseconds
from featurestore.vectors.reader import VectorReader, Vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import RowReader


class Answer(msgspec.Struct, frozen=True):
    """The answer to a request for vectors.

    Attributes
    ----------
    as_of
        The moment that was read.
    stale
        True where the store did not answer and these are the last known values.
    features
        Names of the vector, in the service's order.
    values, statuses
        For each row one value and one status for each feature: 1 PRESENT, 2 NULL_VALUE (the row is there, the value is
        null), 3 NOT_FOUND (no row), 4 OUTSIDE_MAX_AGE (expired).
    ages
        For each view that was read, seconds between the event that answered each row and `as_of`; null: no row.
    """

    service: str
    release: str
    as_of: datetime
    stale: bool
    features: tuple[str, ...]
    values: list[list[Any]]
    statuses: list[list[int]]
    ages: dict[str, list[float | None]]


class Endpoint:
    """What is needed to answer for one service, made once.

    Parameters
    ----------
    store
        Where vectors are read.
    remembered
        Where they are read when `store` does not answer; None: nowhere.
    most
        Rows in one request.
    named
        False: features asked for one by one.
    """

    def __init__(
        self,
        service: FeatureService,
        store: RowReader,
        *,
        remembered: RowReader | None,
        most: int,
        named: bool = True,
    ) -> None:
        self.service, self.name, self.named = service, service.name, named
        self.digest = service_digest(service)
        check = RequestGate(service).check_rows if service.on_demand else None
        self.reader = VectorReader(service, store, check=check)
        self.last_known = None if remembered is None else VectorReader(service, remembered, check=check)
        self._most = most
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(request_type(service, most=most))

    @cached_property
    def request(self) -> type[Any]:
        """The type of requests, for publication."""
        return request_type(self.service, most=self._most, promised=True)

    @cached_property
    def wire(self) -> Wire:
        """Feast's form of requests and answers."""
        return Wire(self.service, self.reader.columns)

    def decode(self, body: bytes) -> tuple[list[tuple[Any, ...]], datetime | None]:
        """Read a request: rows in the order of the reader's columns, and the moment asked for.

        Raises
        ------
        msgspec.DecodeError
            If it is no JSON (`msgspec.ValidationError`: or not that of this service); says where.
        """
        asked = self._decoder.decode(body)
        return [msgspec.structs.astuple(row) for row in asked.rows], asked.as_of

    def answer(self, found: Vectors, moment: datetime, *, release: str, stale: bool) -> bytes:
        """Write the answer as JSON: moments as RFC 3339, bytes as base64, decimals as text."""
        now = microseconds(moment)
        ages = {name: _ages(events, now) for name, events in zip(found.views, found.events, strict=True)}
        return msgspec.json.encode(
            Answer(
                service=self.name,
                release=release,
                as_of=moment,
                stale=stale,
                features=found.features,
                values=found.values,
                statuses=found.statuses,
                ages=ages,
            )
        )


def _ages(events: Sequence[int | None], now: int) -> list[float | None]:
    return [None if event is None else (now - event) / 1_000_000 for event in events]
