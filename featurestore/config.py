"""Settings and defaults of a project: ``[tool.featurestore]`` of pyproject.toml, and Feast's feature_store.yaml."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from featurestore.errors import ConfigError, UnknownSettingError
from featurestore.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KEEP_RELEASES = 5  # of older releases, when nobody says how many
PROVE_CASES = 48  # histories of each view
PROVE_SEED = 1
LEAK_CUTS = 200  # timestamps at which a view is built from what was known
KNOWN = {"schemas", "definitions", "data", "engine", "ray_address", "memory"}
ENGINES = ("polars", "ray")
ONLINE_STORES = {
    f"featurestore.adapters.feast.online.{kind.title()}OnlineStore": kind
    for kind in ("lmdb", "redis", "postgres")
}
# Settings of feature_store.yaml. Feast reads the others of its own sections, and refuses unknown ones there.
FEAST_SETTINGS = {
    *(
        "project",
        "project_description",
        "provider",
        "registry",
        "online_store",
        "offline_store",
        "auth",
        "flags",
    ),
    *("batch_engine", "feature_server", "embedding_model", "repo_path", "entity_key_serialization_version"),
    *("coerce_tz_aware", "materialization", "openlineage", "mlflow", "data_quality_monitoring"),
}
ONLINE_STORE_SETTINGS = {
    "lmdb": {"type", "path", "as_of"},
    "redis": {"type", "url", "as_of"},
    "postgres": {"type", "url", "as_of"},
}
OFFLINE_STORE = "featurestore.adapters.feast.offline.PolarsOfflineStore"
FILE_REGISTRY_SETTINGS = {
    *(
        "registry_type",
        "registry_store_type",
        "path",
        "cache_ttl_seconds",
        "cache_mode",
        "s3_additional_kwargs",
    ),
    *(
        "purge_feast_metadata",
        "enable_online_feature_view_versioning",
        "serve_features_while_materializing",
        "mcp",
    ),
}


class FixedClock(msgspec.Struct, frozen=True, kw_only=True):
    """The time under a fixed timestamp, which pushes advance by microseconds.

    Attributes
    ----------
    as_of
        The fixed timestamp of the settings.
    now
        The timestamp of the last push, in UTC.
    """

    as_of: datetime
    now: datetime


# Why a timestamp of the future is refused, and what to do.
_OF_A_STORE = (
    "a store that is ahead of the clock answers no request",
    "leave the timestamp out to bring the store to the current time",
)
_OF_LABELS = (
    "no label of the future is known yet",
    "leave the timestamp out to build from the labels that are known now",
)


@dataclass(frozen=True)
class Settings:
    """The settings of a project.

    Attributes
    ----------
    root
        The project's folder.
    schemas, definitions
        Names of the packages that hold schemas and definitions.
    data
        The folder of all data.
    online
        The folder of the embedded online store.
    as_of
        A fixed timestamp in place of the current time, for data of the past; None: the clock.
    name
        Feast's name of the project.
    online_kind
        The kind of online store that feature_store.yaml names: ``"lmdb"``, ``"redis"`` or ``"postgres"``.
    online_url
        Address of the server of the online store; None: the store is embedded.
    engine
        Where joins run: ``"polars"`` (this process) or ``"ray"`` (a cluster).
    ray_address
        Address of the Ray cluster; None: a cluster is started on this machine.
    memory
        MiB that a join may take for the rows that it reads; the result comes on top.
    """

    root: Path
    schemas: str
    definitions: str
    data: Path
    online: Path
    as_of: datetime | None
    name: str = "features"
    online_kind: str = "lmdb"
    online_url: str | None = field(default=None, repr=False)
    engine: str = "polars"
    ray_address: str | None = None
    memory: int = 2048

    @property
    def feast_repo(self) -> Path:
        """Folder of feature_store.yaml."""
        return self.root / self.definitions

    def now(self) -> datetime:
        """Return the current time, in UTC.

        With a fixed timestamp in the settings: that timestamp, or the last push that had to take a later one.

        Raises
        ------
        ConfigError
            If the record of the fixed clock cannot be read.
        """
        if self.as_of is None:
            return datetime.now(UTC)
        try:
            clock = msgspec.json.decode(self.fixed_clock.read_bytes(), type=FixedClock)
        except FileNotFoundError:
            return self.as_of
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigError(
                f"{self.fixed_clock}: cannot be read: {error}", hint="remove the file, then push again"
            ) from error
        # A record that was written under another fixed timestamp says nothing about this one.
        return clock.now if clock.as_of == self.as_of else self.as_of

    def require_reached(self, timestamp: datetime, *, for_labels: bool = False) -> datetime:
        """Return a timestamp that a store is brought to; with a fixed timestamp in the settings, any.

        Parameters
        ----------
        for_labels
            The timestamp is that at which the labels of a training set must be known.

        Raises
        ------
        ConfigError
            If the clock has not reached it: a store that is ahead of the clock answers nobody, and no label of the
            future is known.
        """
        now = self.now()
        if self.as_of is None and timestamp > now:
            reason, hint = _OF_LABELS if for_labels else _OF_A_STORE
            raise ConfigError(
                f"{timestamp.isoformat()} is in the future; expected a timestamp up to now, {now.isoformat()}: {reason}",
                hint=hint,
            )
        return timestamp

    @property
    def fixed_clock(self) -> Path:
        """Record of the time under a fixed timestamp, next to the rows whose pushes advance it."""
        return self.data / "pushed" / "clock.json"


def load_settings(root: Path) -> Settings:
    """Read the settings of the project in `root`.

    Raises
    ------
    ConfigError
        If a file is missing or cannot be read, or a setting has a wrong value.
    UnknownSettingError
        If a setting is unknown; names the nearest one.
    """
    root = root.resolve()
    path = root / "pyproject.toml"
    if not path.is_file():
        raise ConfigError(f"{path}: not found", hint=_start_hint(root))
    try:
        tools = tomllib.loads(_text(path)).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", hint="correct that line") from error
    table = tools.get("featurestore")
    if not isinstance(table, dict):
        similar = get_close_matches("featurestore", tools, n=1)
        raise ConfigError(
            f"{path}: the table [tool.featurestore] is missing",
            hint=f"[tool.{similar[0]}] may be it" if similar else _start_hint(root),
        )
    _require_known(path, "[tool.featurestore]", table, KNOWN)
    _require_text(path, table, KNOWN - {"memory"})
    definitions = table.get("definitions", "feature_repo")
    engine = table.get("engine", "polars")
    memory = table.get("memory", 2048)
    if engine not in ENGINES:
        raise ConfigError(
            f"{path}: engine is {engine!r}; expected one of {', '.join(ENGINES)}",
            hint='example: engine = "polars"',
        )
    if not isinstance(memory, int) or isinstance(memory, bool) or memory < 1:
        raise ConfigError(
            f"{path}: memory is {memory!r}; expected a number of MiB, at least 1",
            hint="example: memory = 2048",
        )
    feast = _feast_settings(root / definitions / "feature_store.yaml")
    online = feast["online_store"]
    return Settings(
        root=root,
        schemas=table.get("schemas", "schemas"),
        definitions=definitions,
        data=root / table.get("data", "data"),
        online=(root / definitions / online.get("path", "../data/online/store.lmdb")).resolve(),
        as_of=parse_timestamp(online["as_of"]) if online.get("as_of") is not None else None,
        name=str(feast.get("project", "features")),
        online_kind=ONLINE_STORES[online["type"]],
        online_url=online.get("url"),
        engine=engine,
        ray_address=table.get("ray_address"),
        memory=memory,
    )


def _feast_settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(
            f"{path}: not found", hint="run: featurestore init, which writes this file of Feast's settings"
        )
    try:
        # As in Feast, ${VARIABLE} is read from the environment.
        settings = yaml.safe_load(os.path.expandvars(_text(path)))
    except yaml.YAMLError as error:
        # Its own message quotes the line, which may have a password.
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
        raise ConfigError(
            f"{path}: not valid YAML{place}; expected Feast's settings", hint="check quotes and indentation"
        ) from None
    settings = settings if isinstance(settings, dict) else {}
    _require_known(path, None, settings, FEAST_SETTINGS)
    _require_text(path, settings, {"project"})
    online, offline, registry = (settings.get(name) for name in ("online_store", "offline_store", "registry"))
    if not isinstance(online, dict):
        raise ConfigError(f"{path}: online_store is missing", hint="add online_store with its type and path")
    _require_known(path, "online_store", online, ONLINE_STORE_SETTINGS[_online_kind(path, online)])
    _require_text(path, online, {"path", "url"})
    if isinstance(offline, dict) and offline.get("type") == OFFLINE_STORE:
        _require_known(path, "offline_store", offline, {"type"})
    if isinstance(registry, dict) and registry.get("registry_type", "file") == "file":
        _require_known(path, "registry", registry, FILE_REGISTRY_SETTINGS)
    return settings


def _start_hint(root: Path) -> str:
    """Name the nearest folder above that holds a project, or say how to make one."""
    for folder in root.parents:
        if (folder / "pyproject.toml").is_file() and "[tool.featurestore]" in _text(
            folder / "pyproject.toml"
        ):
            return f"run in the project's folder, or name it: --project {folder}"
    return "to start a project here, run: featurestore init; to use another folder, name it with --project"


def _require_known(path: Path, section: str | None, names: Iterable[Any], known: set[str]) -> None:
    if unknown := [str(name) for name in names if name not in known]:
        raise UnknownSettingError(str(path), section, unknown, known)


def _require_text(path: Path, section: dict[str, Any], names: set[str]) -> None:
    for name in sorted(names & section.keys()):
        if not isinstance(section[name], str) or not section[name]:
            value = section[name]
            # An address may have a password.
            shown = f"a {type(value).__name__}" if name == "url" else repr(value)
            raise ConfigError(
                f"{path}: {name} is {shown}; expected text",
                hint='write the value in quotes, such as "data"',
            )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read: {error}", hint="make it a file of UTF-8 text that this user may read"
        ) from error


def _online_kind(path: Path, online: dict[str, Any]) -> str:
    type_name = online.get("type")
    if not isinstance(type_name, str) or type_name not in ONLINE_STORES:
        raise ConfigError(
            f"{path}: online_store has the unknown type {type_name!r}",
            hint=f"use one of: {', '.join(ONLINE_STORES)}",
        )
    return ONLINE_STORES[type_name]
