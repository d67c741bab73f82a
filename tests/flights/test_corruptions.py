"""However the raw data are damaged, the gate names the rule; undamaged, they raise no alarm."""

from pathlib import Path

import pytest
from corruptions import COLUMNS, FLIGHTS, PLANES, WEATHER, Raw, broken

from featurestore.errors import ContractError


@pytest.fixture(scope="module")
def raw():
    """The real files."""
    return Raw(Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("raw_flights", set()),
        ("raw_weather", {"wind_speed.less_than_or_equal_to(200)"}),
        ("raw_planes", set()),
    ],
)
def test_clean_data_raise_no_alarm(raw, name, known):
    """But for the one reading of 1,048 miles an hour."""
    assert broken(*raw[name]) == known


@pytest.mark.parametrize(("corrupt", "rule"), FLIGHTS.values(), ids=FLIGHTS)
def test_flights(raw, corrupt, rule):
    """Each damage is named by its rule."""
    rows, contract = raw.showing("raw_flights", rule)
    assert rule in broken(corrupt(rows), contract)


@pytest.mark.parametrize(("corrupt", "rule"), WEATHER.values(), ids=WEATHER)
def test_weather(raw, corrupt, rule):
    """Each damage is named by its rule."""
    rows, contract = raw["raw_weather"]
    assert rule in broken(corrupt(rows), contract)


@pytest.mark.parametrize(("corrupt", "rule"), PLANES.values(), ids=PLANES)
def test_planes(raw, corrupt, rule):
    """Each damage is named by its rule."""
    rows, contract = raw["raw_planes"]
    assert rule in broken(corrupt(rows), contract)


@pytest.mark.parametrize(("corrupt", "message"), COLUMNS.values(), ids=COLUMNS)
def test_columns(raw, corrupt, message):
    """If no row can be validated, the dataset is refused."""
    rows, contract = raw["raw_flights"]
    with pytest.raises(ContractError, match=message):
        broken(corrupt(rows), contract)


def test_there_are_forty_and_more():
    """As promised."""
    assert len(FLIGHTS) + len(WEATHER) + len(PLANES) + len(COLUMNS) >= 40
