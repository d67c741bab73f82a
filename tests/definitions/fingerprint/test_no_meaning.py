"""Edits that change no value: the fingerprint stays."""

import ast

import pytest
from grown_shop import FILES, replaced

ORDERS, SCHEMAS, HELPER, RATES = (
    "feature_repo/orders.py",
    "schemas/orders.py",
    "feature_repo/helper.py",
    "lib/rates.py",
)
EVERY = ("raw_orders", "orders", "customer_spending", "compared", "buying", "visits")

NEUTRAL = {
    "a comment": replaced(ORDERS, "# the window slides", "# it slides, and this comment is longer"),
    "a docstring": replaced(HELPER, "Scale a value.", "Scale a value by a factor."),
    "no docstring": replaced(HELPER, '    """Scale a value."""\n', ""),
    "a description": replaced(SCHEMAS, "order number", "number of the order"),
    "a schema's docstring": replaced(SCHEMAS, "Orders as they arrive.", "Orders, raw."),
    "a unit": replaced("schemas/terms.py", '"EUR"}', '"USD"}'),
    "an owner": {ORDERS: FILES[ORDERS].replace('owner="shop"', 'owner="sales"')},
    "blank lines": {ORDERS: FILES[ORDERS].replace("\n\n\n", "\n\n\n\n\n")},
    "another layout": {
        name: ast.unparse(ast.parse(text)) for name, text in FILES.items() if name.endswith(".py")
    },
    "the name of a local": {ORDERS: FILES[ORDERS].replace("worth", "in_euros")},
    "the name of a parameter": replaced(
        RATES, "converted(value):\n    return value", "converted(v):\n    return v"
    ),
    "an annotation": replaced(HELPER, "(value: pl.Expr) -> pl.Expr", "(value)"),
    "an annotated local": replaced(ORDERS, "    worth = scaled", "    worth: pl.Expr = scaled"),
    "reordered imports": replaced(
        ORDERS,
        "from . import helper\nfrom .helper import scaled",
        "from .helper import scaled\nfrom . import helper",
    ),
    "an absolute import": replaced(
        ORDERS, "from .helper import scaled", "from feature_repo.helper import scaled"
    ),
    "an import inside the function": replaced(HELPER, "from lib.rates import converted\n", "")
    | {
        HELPER: FILES[HELPER]
        .replace("from lib.rates import converted\n", "")
        .replace("    return converted", "    from lib.rates import converted\n    return converted")
    },
    "a moved function": {
        HELPER: FILES[HELPER].replace("def unused(value):\n    return value\n", "")
        + "\n\ndef unused(value):\n    return value\n",
    },
    "a helper that moves to another module": {
        HELPER: "from .moved import FACTOR, scaled\n\nUNUSED = 1\n",
        "feature_repo/moved.py": FILES[HELPER],
    },
    "an unused function": replaced(
        HELPER, "def unused(value):\n    return value", "def unused(v):\n    return v + 1"
    ),
    "an unused constant": replaced(HELPER, "UNUSED = 1", "UNUSED = 2"),
    "an unused module": {"feature_repo/more.py": "X = 1\n"},
    "a computed constant of equal value": replaced(HELPER, "FACTOR = 2", "FACTOR = 1 + 1"),
    "a number written in another way": replaced("schemas/terms.py", "10_000", "10000"),
    "a string in other quotes": replaced(ORDERS, 'PERIOD = "30d"', "PERIOD = '30d'"),
    "an entity's description": replaced(ORDERS, '"who orders")', '"a person")'),
    "the order of a column's checks": replaced(SCHEMAS, "ge=0, le=MAX_AMOUNT", "le=MAX_AMOUNT, ge=0"),
    "code for type checkers": replaced(
        HELPER,
        "import polars as pl\n",
        "from typing import TYPE_CHECKING\n\nimport polars as pl\n\nif TYPE_CHECKING:\n    from os import PathLike\n",
    ),
    "code for a script": {
        HELPER: FILES[HELPER] + '\n\nif __name__ == "__main__":\n    print(scaled(pl.col("a")))\n'
    },
    "pass": replaced(RATES, "    return value", "    pass\n    return value"),
}


@pytest.mark.parametrize("edit", NEUTRAL)
def test_an_edit_that_changes_no_value_keeps_every_fingerprint(state, edit):
    """The digest of every definition is the same before and after."""
    before, after = state(), state(NEUTRAL[edit])
    assert [name for name in EVERY if before.fingerprint(name).digest != after.fingerprint(name).digest] == []
