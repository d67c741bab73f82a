"""Rows given on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService


def row_of(values: Sequence[str], service: FeatureService) -> pl.DataFrame:
    """Read ``name=value`` words as the one row that a service is asked for.

    Raises
    ------
    ContractError
        If the service needs no such value, or it cannot be read as the dtype that the service needs.
    """
    import polars as pl  # noqa: PLC0415

    wanted = {**service.key_schema, **service.request_schema}
    if bare := [value for value in values if "=" not in value]:
        raise ContractError(f"{bare[0]!r} says no value", hint=f"write {bare[0]}=...")
    given = dict(value.partition("=")[::2] for value in values)
    if unknown := [name for name in given if name not in wanted]:
        raise ContractError(
            f"service {service.name!r} needs no {unknown[0]!r}", hint=f"it needs {', '.join(wanted)}"
        )
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
            raise ContractError(
                f"{name}={text!r} is not {wanted[name]}, as service {service.name!r} needs it"
            )
    return result
