"""Faults of definitions and raw data: code that was edited, functions that read what they must not, bad rows."""

from market import DEFINITIONS, HELPER, SALES
from planting import Fault, edit

SCHEMAS = "schemas/market.py"
MAX = 'top_units=pl.col("units").max()'
RATIO = 'ratio=worth("basket") / pl.col("exact")'
ROW = "3,a,b|c,2024-01-06T08:00:00Z,,30.3,"

FAULTS = (
    Fault("max becomes min, training set kept", edit(DEFINITIONS, MAX, MAX.replace("max", "min")), "audit"),
    Fault("a helper edited, training set kept", edit(HELPER, "RATE = 1.0", "RATE = 1000.0"), "audit"),
    Fault(
        "a helper edited, features kept",
        edit(HELPER, "RATE = 1.0", "RATE = 1000.0"),
        "materialize",
        since="materialize",
    ),
    Fault(
        "features not built again after an edit",
        edit(DEFINITIONS, MAX, MAX.replace("max", "min")),
        "materialize",
        since="materialize",
    ),
    Fault(
        "store not written again after an edit",
        edit(DEFINITIONS, "ttl=timedelta(days=5)", "ttl=timedelta(days=50)"),
        "audit",
        since="audit",
    ),
    Fault("an on-demand view reads other rows", edit(DEFINITIONS, RATIO, f"{RATIO}.mean()"), "check", 3),
    Fault(
        "an on-demand view hides that it reads other rows",
        edit(
            DEFINITIONS,
            RATIO,
            'ratio=pl.col("basket").map_batches(lambda s: s - s.max(), return_dtype=pl.Float64, is_elementwise=True)',
        ),
        "check",
        3,
    ),
    Fault(
        "a feature that reads the clock",
        edit(DEFINITIONS, MAX, 'top_units=pl.lit(__import__("time").time_ns())'),
        "check --reproducible",
        3,
        trains=True,
    ),
    Fault(
        "a sample without a seed",
        edit(DEFINITIONS, MAX, "top_units=pl.int_range(1_000_000).shuffle().first()"),
        "check --reproducible",
        3,
        trains=True,
    ),
    Fault(
        "a column narrowed under its readers",
        edit(SCHEMAS, "exact: pl.Float64", "exact: pl.Float32"),
        "audit",
    ),
    Fault("a service removed", edit(DEFINITIONS, '    "buying", (', '    "selling", ('), "check", 3),
    Fault(
        "two values for one key and time",
        edit(SALES, ROW, f"90,a,b|c,2024-01-06T08:00:00Z,,1.0,5,3,3.5,?\n{ROW}"),
        "build",
        4,
    ),
    Fault(
        "one feature name in two views",
        edit(DEFINITIONS, "stored, referrer,", 'stored, account["units"].aliased("top"), referrer,'),
        "check",
        3,
    ),
    Fault("a feature of nanoseconds", edit(SCHEMAS, '"us", "America/New_York"', '"ns", "America/New_York"'), "check", 3),
    Fault("NaN inside a list", edit(DEFINITIONS, "pl.lit(-0.0), pl.lit(0.1)", 'pl.lit(float("nan"))'), "build", 4),
    Fault("an integer that a short float cannot hold", edit(SALES, ROW, ROW.replace("30.3", "16777217.0")), "build", 4),
    Fault("a row with too few fields", edit(SALES, f"{ROW}5,3,3.5,?", ROW.rstrip(",")), "validate", 4),
    Fault("a column name that occurs twice", edit(SALES, "units,serial", "amount,serial"), "validate", 4),
    Fault("NaN in raw data", edit(SALES, ROW, ROW.replace("30.3", "NaN")), "validate", 4),
    Fault("an integer that a float cannot hold", edit(SALES, ROW, ROW.replace("30.3", "9007199254740993")), "validate", 4),
    Fault("a time finer than a microsecond", edit(SALES, ROW, ROW.replace("08:00:00Z", "08:00:00.0000001Z")), "validate", 4),
    Fault("a key that is missing", edit(SALES, ROW, ROW.replace("a,b|c", "a,")), "validate", 4),
)  # fmt: skip
