"""What is computed at the moment of the request."""

import math

import polars as pl

from feature_repo.aircraft_profile import aircraft_profile
from feature_repo.aircraft_state import aircraft_state
from feature_repo.airport_weather import airport_weather
from featurestore import Frame, on_demand_feature_view
from schemas.features import DepartureConditions, DepartureRequest

MINUTES_A_DAY = 24 * 60


@on_demand_feature_view(
    sources=(
        airport_weather["wind_direction", "wind_speed"],
        aircraft_profile["year_built"],
        aircraft_state["last_arrived_at"],
    ),
    owner="ops-data",
)
def departure_conditions(rows: Frame[DepartureRequest]) -> Frame[DepartureConditions]:
    """Headwind along the route, time of day on a circle, age of the aircraft and hours since it last arrived."""
    scheduled = pl.col("scheduled_departure")
    local = scheduled.dt.convert_time_zone("America/New_York")
    angle = (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()) * (2 * math.pi / MINUTES_A_DAY)
    against = (pl.col("wind_direction") - pl.col("route_bearing")) * (math.pi / 180)
    return rows.select(
        headwind=pl.col("wind_speed").cast(pl.Float64) * against.cos(),
        time_of_day_sin=angle.sin(),
        time_of_day_cos=angle.cos(),
        aircraft_age=local.dt.year() - pl.col("year_built"),
        hours_since_arrival=(scheduled - pl.col("last_arrived_at")).dt.total_seconds() / 3600,
    )
