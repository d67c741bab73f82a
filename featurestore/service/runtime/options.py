"""The options of the server, declared once: the command line and the reference table derive from them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta

from featurestore.storage.body_limits import BodyLimits

VARIABLE = "FEATURESTORE_SERVE"
# Given by arguments of the command, or found at its start, and not by options.
ARGUMENTS = ("root", "services", "keys_required")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a server runs.

    Each field but `root`, `services` and `keys_required` is an option of `featurestore serve`: `server_options` reads its name, type,
    default, bounds and help text from here.

    Attributes
    ----------
    root
        Path of the project's folder.
    services
        Names of the feature services to serve. Empty: all of them.
    keys_required
        True: there were API keys when the server was started, so a worker that finds none refuses every caller.
    """

    root: str
    services: tuple[str, ...] = ()
    keys_required: bool = False
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(
            ge=0,
            le=65_535,
            description="Port to listen on; 6566 is the one of Feast's server, which browsers refuse; 0 takes a free one.",
        ),
    ] = 8566
    workers: Annotated[int, Meta(ge=1, description="Number of server processes.")] = 1
    max_rows: Annotated[int, Meta(ge=1, description="Rows in one request; more get 422.")] = 1_000
    max_bytes: Annotated[int, Meta(ge=1, description="Bytes in one request; more get 413.")] = 1 << 20
    timeout: Annotated[
        float, Meta(ge=0.001, description="Seconds from the head of a request to its answer; later gets 503.")
    ] = 5.0
    max_upload: Annotated[
        int, Meta(ge=1, description="Bytes of an uploaded dataset that is validated; more get 413.")
    ] = 256 << 20
    upload_timeout: Annotated[
        float,
        Meta(
            ge=0.001,
            description="Seconds to upload and validate a dataset, with no pause longer than --timeout; "
            "later gets 503.",
        ),
    ] = 300.0
    upload_memory: Annotated[
        int,
        Meta(
            ge=512 << 20,
            description="Bytes of memory to validate one dataset, in a process of its own; more get 413.",
        ),
    ] = 2 << 30
    max_unpacked: Annotated[
        int, Meta(ge=1, description="Bytes of an uploaded dataset once it is unpacked; more get 422.")
    ] = 1 << 30
    max_columns: Annotated[
        int,
        Meta(
            ge=1,
            description="Columns of an uploaded dataset, or different keys of its JSON lines; more get 422.",
        ),
    ] = 10_000
    max_line: Annotated[
        int, Meta(ge=1, description="Bytes of one line of an uploaded dataset; more get 422.")
    ] = 16 << 20
    concurrency: Annotated[
        int, Meta(ge=1, description="Requests in progress at the same time; more get 503.")
    ] = 256
    threads: Annotated[
        int,
        Meta(
            ge=1,
            description="Threads for lookups in a remote store that the event loop does not read itself; more lookups wait.",
        ),
    ] = 16
    stale_cache_keys: Annotated[
        int,
        Meta(
            ge=0,
            description="Keys whose last known values answer, marked stale, while the store does not answer; "
            "0 turns this off.",
        ),
    ] = 0
    log_features: Annotated[
        float, Meta(ge=0, le=1, description="Share of the answers that are logged as Parquet, from 0 to 1.")
    ] = 0.0
    log_keys: Annotated[bool, Meta(description="Write entity keys to the request log.")] = False
    log_requests: Annotated[bool, Meta(description="Write one log line for each request.")] = True
    tls_certificate: Annotated[str | None, Meta(description="PEM file with the TLS certificate.")] = None
    tls_key: Annotated[str | None, Meta(description="PEM file with the private key.")] = None
    allow_anonymous: Annotated[
        bool, Meta(description="Answer every caller without an API key; a proxy must decide who may ask.")
    ] = False

    @property
    def body_limits(self) -> BodyLimits:
        """The limits of an uploaded dataset that its readers check."""
        return BodyLimits(columns=self.max_columns, line=self.max_line, unpacked=self.max_unpacked)

    def to_environment(self) -> None:
        """Write the options to the environment, where worker processes read them."""
        os.environ[VARIABLE] = msgspec.json.encode(self).decode()

    @classmethod
    def from_environment(cls) -> Options:
        """Read the options that the parent process wrote.

        Raises
        ------
        KeyError
            If the parent process wrote none.
        """
        return msgspec.json.decode(os.environ[VARIABLE], type=cls)


@dataclass(frozen=True)
class ServerOption:
    """One option of `featurestore serve`.

    Attributes
    ----------
    name
        Name of the field in `Options`, such as ``max_rows``.
    kind
        Type of its values.
    minimum, maximum
        Inclusive bounds. None: there is no bound.
    help
        What the option does, in one sentence.
    """

    name: str
    kind: Any
    default: Any
    minimum: float | None
    maximum: float | None
    help: str

    @property
    def flags(self) -> tuple[str, ...]:
        """Spelling on the command line: a flag that is on by default also has its negation."""
        flag = f"--{self.name.replace('_', '-')}"
        if self.default is True:
            return (f"{flag}/--no-{flag.removeprefix('--')}",)
        return (flag,)


def server_options() -> tuple[ServerOption, ...]:
    """Return the options of `featurestore serve`, in the order of their declaration."""
    return tuple(
        _option(field) for field in msgspec.structs.fields(Options) if field.encode_name not in ARGUMENTS
    )


def option_table() -> list[tuple[str, str, str]]:
    """Return one row for each option: its flags, its default as text, its help text."""
    return [(option.flags[0], _shown(option), option.help) for option in server_options()]


def _option(field: msgspec.structs.FieldInfo) -> ServerOption:
    kind, meta = get_args(field.type) if get_origin(field.type) is Annotated else (field.type, Meta())
    return ServerOption(
        name=field.encode_name,
        kind=kind,
        default=field.default,
        minimum=meta.ge,
        maximum=meta.le,
        help=meta.description or "",
    )


def _shown(option: ServerOption) -> str:
    if option.default is None:
        return ""
    if option.kind is bool:
        return "on" if option.default else "off"
    # A port is a number, but not an amount.
    return f"{option.default:,}" if option.kind is int and option.name != "port" else f"{option.default}"
