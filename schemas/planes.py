"""Planes, from the register of the aviation authority."""

import pandera.polars as pa
import polars as pl

from schemas.terms import PUBLIC


class RawPlanes(pa.DataFrameModel):
    """Planes as the source lists them."""

    tailnum: pl.String = pa.Field(unique=True, str_matches="^[A-Z0-9]{5,6}$", description="tail number")
    year: pl.Int64 = pa.Field(nullable=True, ge=1940, le=2013, description="year of manufacture")
    type: pl.String = pa.Field(
        isin=["Fixed wing multi engine", "Fixed wing single engine", "Rotorcraft"],
        description="type of aircraft",
    )
    manufacturer: pl.String = pa.Field(description="manufacturer")
    model: pl.String = pa.Field(description="model")
    engines: pl.Int64 = pa.Field(ge=1, le=8, description="number of engines")
    seats: pl.Int64 = pa.Field(ge=1, le=900, description="number of seats")
    speed: pl.Int64 = pa.Field(nullable=True, gt=0, description="cruising speed", metadata={"unit": "mph"})
    engine: pl.String = pa.Field(description="type of engine")

    class Config:
        """No other columns."""

        strict = True
        metadata = {
            **PUBLIC,
            "known": "always",
            "on_invalid": "quarantine",
            "tolerance": 0.01,
            "expect": {
                "rows": (3_000, 3_600),
                "null_share": {"year": 0.05},
                "mean": {"year": (1_995, 2_005), "seats": (130, 180)},
            },
        }
