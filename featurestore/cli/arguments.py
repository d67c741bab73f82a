"""Rows given on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import FeatureView


def row_of(values: Sequence[str], service: FeatureService) -> pl.DataFrame:
    """Read ``name=value`` words as the one row that a service is asked for; raises as `values_of` does."""
    return values_of(values, {**service.key_schema, **service.request_schema}, f"service {service.name!r}")


def values_of(values: Sequence[str], wanted: Mapping[str, pl.DataType], whose: str) -> pl.DataFrame:
    """Read ``name=value`` words as one row.

    Parameters
    ----------
    wanted
        The columns it may have.
    whose
        Who needs them, for messages.

    Raises
    ------
    ContractError
        If no such value is needed, or it cannot be read as the dtype that is.
    """
    import polars as pl  # noqa: PLC0415

    if bare := [value for value in values if "=" not in value]:
        raise ContractError(f"{bare[0]!r} says no value", hint=f"write {bare[0]}=...")
    given = dict(value.partition("=")[::2] for value in values)
    if unknown := [name for name in given if name not in wanted]:
        raise ContractError(f"{whose} needs no {unknown[0]!r}", hint=f"it needs {', '.join(wanted)}")
    frame = pl.DataFrame(
        [{name: given.get(name) or None for name in given}], schema=dict.fromkeys(given, pl.String)
    )
    casts = []
    for name, dtype in ((name, wanted[name]) for name in given):
        parsed = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            parsed = parsed.str.to_datetime(
                "%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False
            )
        casts.append(parsed.cast(dtype, strict=False).alias(name))
    result = frame.with_columns(casts)
    for name, text in given.items():
        if text and result[name].null_count():
            raise ContractError(f"{name}={text!r} is not {wanted[name]}, as {whose} needs it")
    return result


def rows_of(path: Path, view: FeatureView) -> pl.DataFrame:
    """Read rows of a view from Parquet, CSV or JSON lines; what they hold is for the gate to judge.

    Raises
    ------
    ContractError
        If the file cannot be read, or holds what is no row of the view.
    """
    import msgspec  # noqa: PLC0415
    import polars as pl  # noqa: PLC0415

    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        if path.suffix == ".csv":
            return pl.read_csv(path, infer_schema=False)
        if path.suffix in (".jsonl", ".ndjson"):
            return _json_rows(msgspec.json.Decoder(dict).decode_lines(path.read_bytes()), path, view)
    except (pl.exceptions.PolarsError, msgspec.DecodeError, OSError) as error:
        raise ContractError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    raise ContractError(
        f"{path}: of what kind it is is not known", hint="name it .parquet, .csv or .jsonl, for what it is"
    )


def _json_rows(lines: list[dict[str, Any]], path: Path, view: FeatureView) -> pl.DataFrame:
    from featurestore.service.lookup.feast_wire import pushed_rows  # noqa: PLC0415

    if not lines:
        raise ContractError(f"{path}: holds no rows")
    names = {name: None for line in lines for name in line}
    # Read as the server reads them.
    return pushed_rows(view, {name: [line.get(name) for line in lines] for name in names})
