"""On-demand views as plain Python functions of a row, where these compute what Polars computes."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from featurestore.errors import DefinitionError
from featurestore.expressions.row_function import NotCompiled, RowFunction, row_function
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.complete import compute, plan_of
from featurestore.vectors.own_rows import generated_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.definitions.on_demand import OnDemandFeatureView

# Polars plans a frame in the time in which a compiled function computes about as many rows.
MAX_COMPILED_ROWS: Final = 32
_CHANGING: Final = frozenset(
    {
        "now",
        "utcnow",
        "today",
        "time_ns",
        "monotonic",
        "perf_counter",
        "localtime",
        "gmtime",
        "random",
        "randint",
        "environ",
    }
    | {"getenv", "uuid4", "open", "urlopen", "read_text"}
)


@lru_cache(maxsize=256)
def compiled(view: OnDemandFeatureView) -> RowFunction | NotCompiled:
    """Compile an on-demand view at the first call, and compare it with Polars on generated rows.

    Returns
    -------
    RowFunction or NotCompiled
        NotCompiled has the reason for which Polars computes the view at each request.
    """
    if (name := changing_name(view.function)) is not None:
        return NotCompiled(f"its function reads what changes from call to call: {name}")
    try:
        function = row_function(lambda rows: plan_of(view, rows), view.input_schema)
        if isinstance(function, RowFunction) and (name := _difference(view, function)) is not None:
            return NotCompiled(f"Python and Polars compute {name!r} differently on this machine")
    except DefinitionError as error:
        return NotCompiled(f"{error.message}")
    return function


def changing_name(function: Callable[..., Any]) -> str | None:
    """Return the first clock, random number or setting that a function reads, itself or in functions that it calls.

    A compiled function would keep what the plan had at the first call.
    """
    seen: set[CodeType] = set()
    waiting: list[tuple[CodeType, dict[str, Any]]] = [(function.__code__, function.__globals__)]
    while waiting:
        code, names = waiting.pop()
        if code in seen:
            continue
        seen.add(code)
        for name in code.co_names:
            if name in _CHANGING:
                return name
            called = getattr(names.get(name), "__wrapped__", names.get(name))
            if isinstance(called, FunctionType):
                waiting.append((called.__code__, called.__globals__))
        waiting += [(constant, names) for constant in code.co_consts if isinstance(constant, CodeType)]
    return None


def _difference(view: OnDemandFeatureView, function: RowFunction) -> str | None:
    """Return the first feature whose values differ; rows that the function leaves to Polars are left out."""
    rows = generated_rows(view)
    results = list(map(function.compute, in_utc_zone(rows).rows()))
    known = [i for i, result in enumerate(results) if result is not None]
    expected = in_utc_zone(compute(view, rows[known])).rows()
    for i, values in zip(known, expected, strict=True):
        for name, value, result in zip(view.feature_names, values, results[i] or (), strict=True):
            if not same_value(value, result):
                return name
    return None


def same_value(left: Any, right: Any) -> bool:
    """Return whether two values of a row are the same, to the last bit."""
    # Not `==` for floats, which takes 0.0 for -0.0; nor `repr` for timestamps, which names the kind of the zone.
    is_float = isinstance(left, float) or isinstance(right, float)
    return repr(left) == repr(right) if is_float else left == right
