"""The flights dataset over rows that the data really hold; each expectation is worked out by hand."""

import pytest

from tests.flights.times import utc

UA_1545 = {
    "flight": 1545,
    "sched_dep_time": 515,
    "dep_time": 517,
    "dep_delay": 2,
    "arr_time": 830,
    "air_time": 227,
}


@pytest.mark.parametrize(
    ("row", "scheduled", "departed", "arrived"),
    [
        pytest.param(UA_1545, "01-01 10:15", "01-01 10:17", "01-01 14:30", id="New York to Chicago time"),
        pytest.param(
            {"dest": "HNL", "sched_dep_time": 900, "dep_delay": -3, "arr_time": 1516},
            "01-01 14:00",
            "01-01 13:57",
            "01-02 01:16",
            id="Honolulu, next day in UTC",
        ),
        pytest.param(
            {"dest": "PHX", "month": 7, "sched_dep_time": 630, "dep_delay": 0, "arr_time": 830},
            "07-01 10:30",
            "07-01 10:30",
            "07-01 15:30",
            id="Phoenix in summer",
        ),
        pytest.param(
            {"dest": "RDU", "sched_dep_time": 2155, "dep_delay": 14, "arr_time": 2400},
            "01-02 02:55",
            "01-02 03:09",
            "01-02 05:00",
            id="arrival at 2400",
        ),
        pytest.param(
            {"dest": "BQN", "month": 10, "day": 30, "sched_dep_time": 2359, "dep_delay": 1, "arr_time": 327},
            "10-31 03:59",
            "10-31 04:00",
            "10-31 07:27",
            id="departure at 2400",
        ),
        pytest.param(
            {"dest": "BQN", "month": 7, "sched_dep_time": 2359, "dep_delay": 72, "arr_time": 448},
            "07-02 03:59",
            "07-02 05:11",
            "07-02 08:48",
            id="left after midnight, San Juan time",
        ),
        pytest.param(
            {"dest": "LAX", "sched_dep_time": 2135, "dep_delay": -7, "arr_time": 26},
            "01-02 02:35",
            "01-02 02:28",
            "01-02 08:26",
            id="arrived after midnight there",
        ),
        pytest.param(
            {"dest": "FLL", "month": 11, "day": 2, "sched_dep_time": 2130, "dep_delay": -13, "arr_time": 3},
            "11-03 01:30",
            "11-03 01:17",
            "11-03 04:03",
            id="into the night the clocks go back",
        ),
        pytest.param(
            {"dest": "SJU", "month": 3, "day": 9, "sched_dep_time": 2015, "dep_delay": 31, "arr_time": 105},
            "03-10 01:15",
            "03-10 01:46",
            "03-10 05:05",
            id="into the night the clocks go forward",
        ),
        pytest.param(
            {
                "origin": "JFK",
                "dest": "PBI",
                "month": 3,
                "day": 9,
                "sched_dep_time": 2145,
                "dep_delay": 81,
                "arr_time": 216,
            },
            "03-10 02:45",
            "03-10 04:06",
            None,
            id="an arrival time that no clock showed",
        ),
        pytest.param(
            {"dest": "HNL", "day": 9, "sched_dep_time": 900, "dep_delay": 1301, "arr_time": 1242},
            "01-09 14:00",
            "01-10 11:41",
            "01-10 22:42",
            id="a day late",
        ),
        pytest.param({}, "01-01 14:00", None, None, id="cancelled"),
        pytest.param({"dep_delay": 5}, "01-01 14:00", "01-01 14:05", None, id="diverted"),
    ],
)
def test_times_in_utc(flights_of, row, scheduled, departed, arrived):
    """Schedule, departure and arrival, each local to its own airport, in UTC."""
    [flight] = flights_of(row).to_dicts()
    got = [flight[name] for name in ("scheduled_departure", "departed_at", "arrived_at")]
    assert got == [utc(text) if text else None for text in (scheduled, departed, arrived)]
    assert flight["cancelled"] == (departed is None)


def test_what_the_data_lack_is_marked_and_kept(flights_of):
    """No flight is lost for a missing tail number, plane or hour of weather."""
    tails = [None, "N999XX", "N14228"]
    rows = [{"flight": number, "tailnum": tail} for number, tail in enumerate(tails, 1)]
    flights = flights_of(*rows, planes=("N14228",), weather=[("EWR", utc("01-01 14:00"))]).sort("flight")
    assert flights["tailnum"].to_list() == [None, "N999XX", "N14228"]
    assert flights["plane_known"].to_list() == [False, False, True]
    assert flights["weather_known"].to_list() == [True, True, True]
    assert flights_of({})["weather_known"].to_list() == [False]


def test_an_unlisted_airport_has_no_times(flights_of):
    """An unknown time zone gives null, never a wrong timestamp."""
    [flight] = flights_of(UA_1545 | {"dest": "XXX"}).to_dicts()
    assert flight["departed_at"] == utc("01-01 10:17")
    assert flight["arrived_at"] is None
