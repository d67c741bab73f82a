"""What happens at airports: the events of the views with windows."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

MINUTES = {"unit": "min"}


class CarrierDeparture(pa.DataFrameModel):
    """A departure, as an event of its carrier."""

    carrier: pl.String = pa.Field(description="carrier code")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when it left")
    flight: pl.Int32 = pa.Field(ge=1, description="flight number")
    origin: pl.String = pa.Field(description="airport of departure")
    scheduled_departure: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when it should leave")
    departure_delay: pl.Int32 = pa.Field(description="departure delay", metadata=MINUTES)


class AirportDeparture(pa.DataFrameModel):
    """A departure, as an event of its airport."""

    origin: pl.String = pa.Field(description="airport of departure")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when it left")
    carrier: pl.String = pa.Field(description="carrier code")
    flight: pl.Int32 = pa.Field(ge=1, description="flight number")
    scheduled_departure: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when it should leave")
    departure_delay: pl.Int32 = pa.Field(description="departure delay", metadata=MINUTES)


class RouteArrival(pa.DataFrameModel):
    """An arrival, as an event of its route."""

    origin: pl.String = pa.Field(description="airport of departure")
    dest: pl.String = pa.Field(description="airport of arrival")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when it arrived")
    carrier: pl.String = pa.Field(description="carrier code")
    flight: pl.Int32 = pa.Field(ge=1, description="flight number")
    scheduled_departure: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when it should leave")
    arrival_delay: pl.Int32 = pa.Field(description="arrival delay", metadata=MINUTES)
    air_time: pl.Int32 = pa.Field(gt=0, description="time in the air", metadata=MINUTES)
