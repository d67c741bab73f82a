"""The endpoint of one feature service: its reader, the type of its requests, and its answers as JSON."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import ContractError
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.service.lookup.feast_wire import Wire
from featurestore.service.lookup.request_types import request_type
from featurestore.service.lookup.stale_cache import StaleCachingReader
from featurestore.timing.epoch import microseconds
from featurestore.values.accepted import is_read_exactly, value_check
from featurestore.values.escapes import quoted
from featurestore.values.json_keys import require_unique_keys
from featurestore.vectors.reader import VectorReader, Vectors

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import RowReader
    from featurestore.service.lookup.stale_cache import StaleCache
    from featurestore.storage.layout import Layout

_encode: Final = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """The answer to a request for vectors.

    Attributes
    ----------
    as_of
        The instant, in UTC, at which the values hold.
    stale
        True: the store did not answer, and the values are the last known ones.
    features
        Names of the features, in the order of the service.
    values, statuses
        One list for each row, with one value or status for each feature. Statuses: 1 PRESENT, 2 NULL_VALUE (the row
        exists, the value is null), 3 NOT_FOUND (no row), 4 OUTSIDE_MAX_AGE (expired).
    ages
        For each view, seconds from the event that answered each row to `as_of`. Null: no row.
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
    """Everything that answers requests for one feature service. It is made once for each release.

    Parameters
    ----------
    store
        Reads the rows of the online store.
    stale_cache
        Keeps the rows that were read, and answers while `store` does not. None: there are no last known rows.
    max_rows
        Maximum number of rows in one request.
    named
        False: the service stands for a list of single features.
    layout
        Where the fingerprints of former definitions are kept, so that a refusal names what differs.

    Attributes
    ----------
    store, stale_cache
        As the parameters.
    digest
        Digest of the service's definition.
    stale_reader
        Reads vectors from the stale cache, or None.
    """

    def __init__(
        self,
        service: FeatureService,
        store: RowReader,
        *,
        stale_cache: StaleCache | None,
        max_rows: int,
        named: bool = True,
        layout: Layout | None = None,
    ) -> None:
        self.service = service
        self.store = store
        self.stale_cache = stale_cache
        self.name = service.name
        self.named = named
        self.digest = fingerprint(service).digest
        check = RequestGate(service).check_rows if service.on_demand else None
        rows = store if stale_cache is None else StaleCachingReader(store, stale_cache)
        self.reader = VectorReader(service, rows, check=check, layout=layout)
        self.stale_reader = (
            None if stale_cache is None else VectorReader(service, stale_cache, check=check, layout=layout)
        )
        self._max_rows = max_rows
        self._where = f"request to service {self.name!r}"
        # The type of the JSON decides about all other values.
        schema = {**service.key_schema, **service.request_schema}
        self._width = len(schema)
        self._checks = [
            (position, value_check("key" if name in service.key_schema else "request value", name, dtype))
            for position, (name, dtype) in enumerate(schema.items())
            if not is_read_exactly(dtype)
        ]
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            request_type(service, max_rows=max_rows)
        )

    @cached_property
    def request(self) -> type[Any]:
        """The type of requests, with what the contracts say in JSON Schema, for publication."""
        return request_type(self.service, max_rows=self._max_rows, with_contracts=True)

    @cached_property
    def form(self) -> str:
        """What the body of a request looks like."""
        columns = ", ".join(
            f"{quoted(name)}: ..." for name in (*self.service.key_schema, *self.service.request_schema)
        )
        return f'{{"rows": [{{{columns}}}]}}'

    @cached_property
    def wire(self) -> Wire:
        """Feast's form of requests and answers."""
        return Wire(self.service, self.reader.columns)

    def decode(self, body: bytes) -> tuple[list[tuple[Any, ...]], datetime | None]:
        """Decode a request.

        Returns
        -------
        tuple
            The rows, with values in the order of the reader's columns; and ``as_of``, or None.

        Raises
        ------
        msgspec.DecodeError
            If the body is not JSON. A `msgspec.ValidationError` names the place of a value with a wrong type.
        ContractError
            If a value does not fit its dtype exactly, or an object names a key twice.
        """
        request = self._decoder.decode(body)
        rows = [msgspec.structs.astuple(row) for row in request.rows]
        keys = len(rows) * self._width + (1 if request.as_of is None else 2)
        require_unique_keys(body, keys, self._where)
        if self._checks:
            rows = [self._checked(number, row) for number, row in enumerate(rows)]
        return rows, request.as_of

    def _checked(self, number: int, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        try:
            for position, check in self._checks:
                values[position] = check(values[position])
        except ContractError as error:
            raise ContractError(f"row {number:,}: {error.message}", hint=error.hint) from None
        return tuple(values)

    def answer(self, vectors: Vectors, as_of: datetime, *, release: str, stale: bool) -> bytes:
        """Encode an answer as JSON: timestamps as RFC 3339, bytes as base64, decimals as text."""
        now = microseconds(as_of)
        ages = {
            name: [None if event is None else (now - event) / 1_000_000 for event in events]
            for name, events in zip(vectors.views, vectors.events, strict=True)
        }
        return _encode(
            Answer(
                service=self.name,
                release=release,
                as_of=as_of,
                stale=stale,
                features=vectors.features,
                values=vectors.values,
                statuses=vectors.statuses,
                ages=ages,
            )
        )
