"""Fifty and more ways in which the flights' raw data could be damaged, and the rule that should catch each.

Each is done to the real file, as text, as it would arrive. ``python tests/flights/corruptions.py`` does them one by one to
the whole file, and prints what the gate said; the tests hold it to it.
"""

import sys
from pathlib import Path

import polars as pl

import featurestore
from featurestore.adapters.files import FileReader
from featurestore.errors import ContractError
from featurestore.quality.gate.compiled_contract import SOURCE_FILE, SOURCE_ROW
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.rules.contract_rules import rules_of
from featurestore.quality.rules.rule import RowRule

DAY = (pl.col("month") == "7") & (pl.col("day") == "4")
SOME = pl.int_range(pl.len()) % 20 == 0  # one row in twenty
ONE = pl.int_range(pl.len()) == 1_000


def put(column, value, where=SOME):
    """Write a value, or another expression, into some rows of a column."""
    expression = value if isinstance(value, pl.Expr) else pl.lit(value, dtype=pl.String)
    return lambda rows: rows.with_columns(
        pl.when(where).then(expression).otherwise(pl.col(column)).alias(column)
    )


def number(column, change):
    """Change the number that a column's text holds."""
    return pl.when(pl.col(column).is_not_null()).then(
        change(pl.col(column).cast(pl.Float64, strict=False)).cast(pl.Int64).cast(pl.String)
    )


def swapped(left, right):
    return lambda rows: rows.with_columns(pl.col(right).alias(left), pl.col(left).alias(right))


def shifted(hours):
    moved = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ") + pl.duration(hours=hours)
    return lambda rows: rows.with_columns(time_hour=moved.dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


FLIGHTS = {
    "nulls in a key": (put("carrier", None), "carrier.not_null"),
    "one null in a key": (put("flight", None, ONE), "flight.not_null"),
    "a column mostly missing": (put("tailnum", None, SOME | SOME.shift(1)), "tailnum.null_share(0.02)"),
    "an optional column gone missing in places": (put("air_time", None), "air_time.null_share(0.05)"),
    "a sentinel for a missing number": (put("dep_delay", "-9999"), "dep_delay.greater_than_or_equal_to(-120)"),
    "a sentinel for a missing text": (put("tailnum", "N/A"), "tailnum.str_matches('^[A-Z0-9]{5,6}$')"),
    "text in a number": (put("distance", "far"), "distance.dtype(Int64)"),
    "a decimal comma": (put("distance", "1,400"), "distance.dtype(Int64)"),
    "a fraction in a whole number": (put("distance", "1400.5", ONE), "distance.dtype(Int64)"),
    "a number too large for its type": (put("flight", "99999999999999999999", ONE), "flight.dtype(Int64)"),
    "two columns swapped": (swapped("origin", "dest"), "origin.isin(['EWR', 'JFK', 'LGA'])"),
    "two times swapped": (swapped("dep_time", "sched_dep_time"), "delay_is_between_the_times"),
    "two delays swapped": (swapped("dep_delay", "arr_delay"), "delay_is_between_the_times"),
    "kilometres for miles": (put("distance", number("distance", lambda v: v * 1.609), pl.lit(value=True)), "distance.mean(950, 1150)"),
    "feet for miles": (put("distance", number("distance", lambda v: v * 5280), ONE), "distance.less_than_or_equal_to(6000)"),
    "seconds for minutes": (put("air_time", number("air_time", lambda v: v * 60), pl.lit(value=True)), "air_time.less_than_or_equal_to(1200)"),
    "hours for minutes": (put("air_time", number("air_time", lambda v: v / 60), pl.lit(value=True)), "air_time.greater_than_or_equal_to(10)"),
    "a sign turned": (put("dep_delay", number("dep_delay", lambda v: -v)), "delay_is_between_the_times"),
    "a day delivered twice": (lambda rows: pl.concat([rows, rows.filter(DAY)]), "unique(carrier, flight, origin, year, month, day, sched_dep_time)"),
    "one row delivered twice": (lambda rows: pl.concat([rows, rows.head(1)]), "unique(carrier, flight, origin, year, month, day, sched_dep_time)"),
    "a day missing": (lambda rows: rows.filter(~DAY), "time_hour.gap(12:00:00)"),
    "a month missing": (lambda rows: rows.filter(pl.col("month") != "2"), "month.covers(2)"),
    "a month of another year": (put("year", "2012", pl.col("month") == "3"), "year.equal_to(2013)"),
    "a file cut short": (lambda rows: rows.head(rows.height // 2), "rows(320000, 350000)"),
    "an empty file": (lambda rows: rows.clear(), "not_empty"),
    "the file appended to itself a year on": (lambda rows: pl.concat([rows, rows.with_columns(flight=pl.col("flight") + "0")]), "rows(320000, 350000)"),
    "an airport left out": (lambda rows: rows.filter(pl.col("origin") != "LGA"), "origin.share('LGA', 0.28, 0.4)"),
    "a carrier's code in lower case": (put("carrier", pl.col("carrier").str.to_lowercase()), "carrier.str_matches('^[A-Z0-9]{2}$')"),
    "blanks around a code": (put("dest", " IAH "), "dest.str_matches('^[A-Z0-9]{3}$')"),
    "damaged encoding": (put("dest", "IA\ufffd"), "dest.str_matches('^[A-Z0-9]{3}$')"),
    "a time zone shifted by five hours": (shifted(5), "hour_in_new_york"),
    "summer time taken for winter time": (shifted(1), "hour_in_new_york"),
    "a local time marked as UTC": (shifted(-4), "hour_in_new_york"),
    "day and month swapped": (swapped("day", "month"), "month.less_than_or_equal_to(12)"),
    "a date format that changed": (put("time_hour", pl.col("time_hour").str.replace_all("-", "/")), "time_hour.dtype(Datetime(time_unit='us', time_zone='UTC'))"),
    "labels flipped": (put("dep_delay", number("dep_delay", lambda v: 15 - v)), "delay_is_between_the_times"),
    "a mean that drifts, every value plausible": (put("arr_delay", number("arr_delay", lambda v: (v + 20).clip(-180, 2880)), pl.lit(value=True)), "arr_delay.mean(2, 12)"),
    "a constant": (put("distance", "1039", pl.lit(value=True)), "speed_of_a_plane"),
    "categories collapsed": (put("carrier", "UA", pl.lit(value=True)), "carrier.distinct(14, 18)"),
    "keys renumbered": (put("tailnum", pl.lit("N") + pl.int_range(pl.len()).cast(pl.String).str.zfill(5).str.slice(-5), pl.lit(value=True)), "tailnum.distinct(3800, 4300)"),
    "departed, and no delay": (put("dep_delay", None, ONE), "departed_with_delay"),
    "flights to where they start": (put("dest", pl.col("origin")), "leaves_its_origin"),
    "a time that no clock shows": (put("sched_dep_time", "2561"), "sched_dep_time.less_than_or_equal_to(2400)"),
}  # fmt: skip
WEATHER = {
    "Celsius for Fahrenheit": (put("temp", ((pl.col("temp").cast(pl.Float64) - 32) / 1.8).cast(pl.String), pl.lit(value=True)), "temp.mean(50, 60)"),
    "a sensor that is stuck": (put("humid", "0", pl.lit(value=True)), "humid.mean(55, 70)"),
    "NaN for a reading": (put("wind_speed", "NaN"), "wind_speed.finite"),
    "infinity for a reading": (put("visib", "inf", ONE), "visib.finite"),
    "a station silent for a day": (lambda rows: rows.filter(~(DAY & (pl.col("origin") == "JFK"))), "time_hour.gap(8:00:00 by origin)"),
    "a stale partition delivered again": (lambda rows: pl.concat([rows, rows.tail(100)]), "unique(origin, time_hour)"),
    "dew point and temperature swapped": (swapped("dewp", "temp"), "dew_point_below_temperature"),
}  # fmt: skip
PLANES = {
    "planes from a later year": (put("year", "2031", ONE), "year.less_than_or_equal_to(2013)"),
    "seats and engines swapped": (swapped("seats", "engines"), "engines.less_than_or_equal_to(8)"),
    "every plane a copy of the first": (lambda rows: pl.concat([rows.head(1)] * rows.height), "tailnum.unique"),
    "a list cut to its head": (lambda rows: rows.head(500), "rows(3000, 3600)"),
    "an enum written in another way": (put("type", "FIXED WING MULTI ENGINE"), "type.isin(['Fixed wing multi engine', 'Fixed wing single engine', 'Rotorcraft'])"),
}  # fmt: skip
COLUMNS = {
    "a column left out": (lambda rows: rows.drop("tailnum"), "lacks 'tailnum'"),
    "a column renamed": (lambda rows: rows.rename({"tailnum": "tail_num"}), "'tail_num' may be 'tailnum' renamed"),
    "a column too many": (lambda rows: rows.with_columns(note=pl.lit("x")), "has unexpected 'note'"),
}  # fmt: skip


class Raw:
    """The real files, as text, with their contracts."""

    def __init__(self, root):
        self.project = featurestore.open(root)
        self.frames = {}

    def __getitem__(self, name):
        if name not in self.frames:
            source = self.project.catalog.sources[name]
            path = self.project.settings.root / source.path
            if not path.exists():
                self.project.ingest(name)
            rows = FileReader().scan(source, path).drop(SOURCE_FILE, SOURCE_ROW)
            self.frames[name] = (rows, source.contract)
        return self.frames[name]

    def showing(self, name, rule):
        """Return the rows in which a rule can find a damage: one in ten if it decides row by row, and else all."""
        rows, contract = self[name]
        by_row = {
            str(each.id)
            for each in rules_of(contract, fallible=[column.name for column in contract.columns])
            if isinstance(each, RowRule)
        }
        return rows.gather_every(10) if rule in by_row else rows, contract


def broken(rows, contract):
    """Name the rules that a frame breaks, warnings left out."""
    verdict = inspect(rows, contract, dataset="corrupted").verdict
    assert verdict.rows_in == verdict.rows_passed + verdict.rows_quarantined
    return {count.name for count in verdict.rules if not count.warning}


def main():
    """Damage the data in every way, and print which rule caught it."""
    raw, missed = Raw(Path(__file__).parents[2]), 0
    tables = {"raw_flights": FLIGHTS, "raw_weather": WEATHER, "raw_planes": PLANES}
    for name, table in tables.items():
        rows, contract = raw[name]
        for damage, (corrupt, rule) in table.items():
            caught = rule in broken(corrupt(rows), contract)
            missed += not caught
            print(f"{'caught' if caught else 'MISSED':7} {name:12} {damage:50} {rule}")  # noqa: T201
    rows, contract = raw["raw_flights"]
    for damage, (corrupt, message) in COLUMNS.items():
        try:
            broken(corrupt(rows), contract)
        except ContractError as error:
            caught = message in str(error)
        missed += not caught
        print(f"{'caught' if caught else 'MISSED':7} {'raw_flights':12} {damage:50} {message}")  # noqa: T201
    return missed


if __name__ == "__main__":
    sys.exit(main())
