"""Each feature view over a handful of flights, worked out by hand."""

import math
from datetime import UTC, datetime

import polars as pl
import pytest

from feature_repo.aircraft_profile import aircraft_profile
from feature_repo.aircraft_state import aircraft_state
from feature_repo.airport_congestion import airport_congestion
from feature_repo.airport_weather import airport_weather
from feature_repo.carrier_punctuality import carrier_punctuality
from feature_repo.departure_conditions import departure_conditions
from feature_repo.departures import departures
from feature_repo.route_punctuality import route_punctuality
from featurestore.timing.join import AS_OF
from featurestore.windows.features import features_at
from tests.flights.times import utc

FLIGHTS = pl.LazyFrame(
    {
        "carrier": ["UA", "UA", "UA", "UA", "B6"],
        "flight": [1, 2, 3, 4, 5],
        "tailnum": ["N1", "N1", "N1", None, "N5"],
        "origin": ["EWR", "EWR", "EWR", "EWR", "JFK"],
        "dest": ["IAH", "ORD", "IAH", "IAH", "IAH"],
        "scheduled_departure": [
            utc(f"01-0{d}") for d in ("1 10:00", "1 10:30", "8 10:00", "8 12:00", "8 12:00")
        ],
        "departed_at": [utc("01-01 10:00"), utc("01-01 10:50"), utc("01-08 10:30"), None, utc("01-08 12:00")],
        "arrived_at": [utc("01-01 13:00"), utc("01-01 13:20"), utc("01-08 13:00"), None, utc("01-08 15:00")],
        "departure_delay": [0, 20, 30, None, 0],
        "arrival_delay": [-10, 16, 20, None, None],
        "air_time": [150, 100, 152, None, 160],
        "cancelled": [False, False, False, True, False],
    },
    schema_overrides={"departure_delay": pl.Int32, "arrival_delay": pl.Int32, "air_time": pl.Int32},
)


def rows_of(view, *inputs, sort="event_timestamp"):
    return view.function(*inputs).sort(sort).collect()


def features_of(view, key, *timestamps):
    """The features of a key at timestamps, over the flights above."""
    questions = pl.DataFrame({AS_OF: [utc(timestamp) for timestamp in timestamps], **key})
    events = view.function(FLIGHTS).select(list(view.contract.schema)).collect()
    features = features_at(
        questions,
        events,
        view.windows,
        view.feature_schema,
        view=view.name,
        keys=view.keys,
        timing=view.timing,
        identity=view.identity,
    )
    return features.drop("event_timestamp").rows()


def test_carrier_punctuality():
    """Seven days before the time asked: a departure is known after 15 minutes, and a cancelled flight never left."""
    at = ["01-01 10:14", "01-01 10:15", "01-01 11:05", "01-08 10:00", "01-08 10:45", "01-15 10:30"]
    assert features_of(carrier_punctuality, {"carrier": "UA"}, *at) == [
        (0, None, None),
        (1, 0.0, 0.0),
        (2, 10.0, 0.5),
        (1, 20.0, 1.0),
        (2, 25.0, 1.0),
        (0, None, None),
    ]


def test_route_punctuality():
    """An arrival counts for its ordered pair of airports, 15 minutes after it, if its delay is known."""
    at = ["01-01 13:14", "01-01 13:15", "01-08 13:15", "01-15 13:00", "01-22 13:00"]
    assert features_of(route_punctuality, {"origin": "EWR", "dest": "IAH"}, *at) == [
        (0, None, None, None),
        (1, -10.0, 0.0, 150.0),
        (2, 5.0, 0.5, 151.0),
        (1, 20.0, 1.0, 152.0),
        (0, None, None, None),
    ]
    assert features_of(route_punctuality, {"origin": "JFK", "dest": "IAH"}, "01-08 16:00") == [
        (0, None, None, None)
    ]


def test_aircraft_state():
    """A leg happens when it leaves and is known when it has arrived; without a tail number it is nobody's."""
    rows = rows_of(aircraft_state, FLIGHTS)
    assert rows["tailnum"].to_list() == ["N1", "N1", "N1", "N5"]
    assert rows["event_timestamp"].to_list()[:3] == [
        utc("01-01 10:00"),
        utc("01-01 10:50"),
        utc("01-08 10:30"),
    ]
    assert rows["created_timestamp"].to_list()[:3] == [
        utc("01-01 13:00"),
        utc("01-01 13:20"),
        utc("01-08 13:00"),
    ]
    assert rows["legs_24h"].to_list() == [1, 2, 1, 1]
    assert rows["last_leg_dest"].to_list() == ["IAH", "ORD", "IAH", "IAH"]
    assert rows["last_leg_arrival_delay"].to_list() == [-10, 16, 20, None]
    # From 13:20 on the first to 10:30 on the eighth; when the second leg left, no arrival was known, says the source.
    assert rows["hours_before_last_leg"].to_list() == pytest.approx([None, None, 165 + 1 / 6, None])


def test_airport_congestion():
    """Departures of the hour before the time asked, known at the next quarter of an hour; a cancelled flight is none."""
    at = ["01-01 09:59", "01-01 10:00", "01-01 10:59", "01-01 11:00", "01-01 11:49", "01-01 11:50"]
    assert features_of(airport_congestion, {"origin": "EWR"}, *at) == [
        (0, None),
        (1, 0.0),
        (1, 0.0),
        (1, 20.0),
        (1, 20.0),
        (0, None),
    ]


def test_airport_weather():
    """Three hours up to and with the observation; an hour that was not observed is not made up."""
    hours = [1, 2, 3, 6]
    weather = pl.LazyFrame(
        {
            "origin": ["EWR"] * 4,
            "time_hour": [datetime(2013, 1, 1, hour, tzinfo=UTC) for hour in hours],
            "temp": [39.02, None, 39.92, 41.0],
            "humid": [59.37, 60.0, 61.0, 62.0],
            "visib": [10.0, 10.0, 9.0, 8.0],
            "wind_dir": [270, 280, None, 290],
            "wind_speed": [10.35702, None, 12.65858, 9.20624],
            "precip": [0.01, 0.02, 0.04, 0.0],
        },
        schema_overrides={"time_hour": pl.Datetime("us", "UTC")},
    )
    rows = rows_of(airport_weather, weather)
    assert rows["event_timestamp"].dt.hour().to_list() == hours
    assert rows["temperature"].to_list() == [39.02, None, 39.92, 41.0]
    assert rows["wind_direction"].to_list() == [270, 280, None, 290]
    assert rows["wind_speed_mean_3h"].to_list() == pytest.approx([10.357, 10.357, 11.508, 9.206])
    assert rows["precipitation_3h"].to_list() == pytest.approx([0.01, 0.03, 0.07, 0.0])


def test_aircraft_profile():
    """The register is taken as known before the first flight."""
    planes = pl.LazyFrame(
        {
            "tailnum": ["N1"],
            "year": [None],
            "manufacturer": ["AIRBUS"],
            "engines": [2],
            "seats": [55],
            "engine": ["Turbo-fan"],
        },
        schema_overrides={"year": pl.Int64},
    )
    [row] = rows_of(aircraft_profile, planes).to_dicts()
    assert row == {
        "tailnum": "N1",
        "seats": 55,
        "engines": 2,
        "manufacturer": "AIRBUS",
        "event_timestamp": datetime(2012, 12, 31, tzinfo=UTC),
        "year_built": None,
        "engine_type": "Turbo-fan",
    }


def test_departure_conditions():
    """Wind from ahead counts for, wind from behind against; noon in New York is half the circle."""
    rows = pl.LazyFrame(
        {
            "scheduled_departure": [utc("01-01 17:00"), utc("07-01 10:00"), utc("01-01 17:00")],
            "route_bearing": [270.0, 270.0, 0.0],
            "wind_direction": [270, 90, None],
            "wind_speed": [10.0, 10.0, 10.0],
            "year_built": [2000, None, 2013],
            "last_arrived_at": [utc("01-01 15:30"), None, utc("01-01 18:00")],
        },
        schema_overrides={"scheduled_departure": pl.Datetime("us", "UTC"), "wind_direction": pl.Int32},
    )
    conditions = departure_conditions.function(rows).collect()
    assert conditions["headwind"].to_list() == pytest.approx([10, -10, None])
    assert conditions["time_of_day_sin"].to_list() == pytest.approx([0, 1, 0], abs=1e-12)
    assert conditions["time_of_day_cos"].to_list() == pytest.approx([-1, 0, -1], abs=1e-12)
    assert conditions["aircraft_age"].to_list() == [13, None, 0]
    assert conditions["hours_since_arrival"].to_list() == [1.5, None, -1]


def test_departures_and_their_label():
    """More than 15 minutes late is delayed, and so is a flight that never left; it is asked about an hour before."""
    places = pl.LazyFrame(
        {
            "airport": ["EWR", "JFK", "IAH", "ORD"],
            "latitude": [40.0, 40.0, 40.0, 60.0],
            "longitude": [-74.0, -74.0, -95.0, -74.0],
        }
    )
    rows = departures.function(FLIGHTS, places).sort("flight").collect()
    assert rows["delayed"].to_list() == [False, True, True, True, False]
    assert rows["cancelled"].to_list() == [False, False, False, True, False]
    assert rows["event_timestamp"][0] == utc("01-01 09:00")
    # The label is known 16 minutes after the schedule: by then a flight that has not left is late.
    known = rows.select(departures.matures.timestamp().alias("known"))["known"]
    assert ((known - rows["scheduled_departure"].dt.epoch("us")) == 16 * 60 * 1_000_000).all()
    assert rows["route_bearing"][1] == 0.0
    # Along a parallel the great circle leaves due west by half the difference of longitude times sin(latitude), northward.
    assert rows["route_bearing"][0] == pytest.approx(
        270 + math.degrees(math.atan(math.tan(math.radians(10.5)) * math.sin(math.radians(40)))), abs=0.01
    )


@pytest.mark.parametrize(("delay", "delayed"), [(15, False), (16, True), (-5, False), (None, True)])
def test_fifteen_minutes_is_not_late(delay, delayed):
    """The bound itself is on time."""
    places = pl.LazyFrame({"airport": ["EWR", "IAH"], "latitude": [40.0, 30.0], "longitude": [-74.0, -95.0]})
    row = FLIGHTS.head(1).with_columns(
        departure_delay=pl.lit(delay, dtype=pl.Int32), cancelled=pl.lit(delay is None, dtype=pl.Boolean)
    )
    assert departures.function(row, places).collect()["delayed"].to_list() == [delayed]
