"""Faults of values on their way to the store: rounded, cut, wrapped, replaced."""

from planting import Fault, code

STORED = "values = frame.select(_stored(features))"


def stored(expression):
    """Change the values of stored rows."""
    return code("values.codec:encode_rows", STORED, f"{STORED}.with_columns({expression})")


def encoded(expression):
    """Change the values of rows before they are encoded."""
    return code(
        "values.codec:encode_rows",
        STORED,
        f"values = frame.with_columns({expression}).select(_stored(features))",
    )


FAULTS = (
    Fault("Float64 stored as Float32", stored("pl.col(pl.Float64).cast(pl.Float32).cast(pl.Float64)"), "audit", since="materialize"),
    Fault("Float32 rounded to half precision", stored("pl.col(pl.Float32).cast(pl.Float16).cast(pl.Float32)"), "audit", since="materialize"),
    Fault("floats through text of six digits", stored("pl.col(pl.Float64).round_sig_figs(6)"), "audit", since="materialize"),
    Fault("-0.0 becomes 0.0", stored("pl.col(pl.Float32, pl.Float64).replace(-0.0, 0.0)"), "audit", since="materialize"),
    Fault("integers through Float64", encoded("pl.col(pl.Int64).cast(pl.Float64).cast(pl.Int64)"), "audit", since="materialize"),
    Fault("unsigned integers lose their highest bit", stored("pl.col(pl.UInt64) & (2**63 - 1)"), "audit", since="materialize"),
    Fault("decimals lose digits of their scale", encoded("pl.col(pl.Decimal).round(2)"), "audit", since="materialize"),
    Fault("timestamps cut to milliseconds", encoded("pl.col(pl.Datetime).exclude('event_timestamp', 'created_timestamp').dt.truncate('1ms')"), "audit", since="materialize"),
    Fault("local times taken for UTC", encoded("pl.col(pl.Datetime('us', 'America/New_York')).dt.replace_time_zone('UTC')"), "audit", since="materialize"),
    Fault("dates off by one", encoded("pl.col(pl.Date).dt.offset_by('1d')"), "audit", since="materialize"),
    Fault("null becomes zero", stored("pl.col(pl.Int64, pl.Float64).fill_null(0)"), "audit", since="materialize"),
    Fault("null becomes the last value", stored("pl.col(pl.Boolean, pl.Float64).forward_fill()"), "audit", since="materialize"),
    Fault("an empty list becomes null", encoded("pl.when(pl.col(pl.List(pl.String)).list.len() > 0).then(pl.col(pl.List(pl.String)))"), "audit", since="materialize"),
    Fault("nulls inside lists are lost", encoded("pl.col(pl.List(pl.String)).list.drop_nulls()"), "audit", since="materialize"),
    Fault("lists come back sorted", encoded("pl.col(pl.List(pl.Float64)).list.sort()"), "audit", since="materialize"),
    Fault("text cut to three characters", stored("pl.col(pl.List(pl.String)).list.eval(pl.element().str.head(3))"), "audit", since="materialize"),
)  # fmt: skip
