"""Definitions that a factory makes: variables of the factory count like constants."""

import pytest
from grown_shop import FILES, changed

ORDERS = "feature_repo/orders.py"
DATASET = FILES[ORDERS][FILES[ORDERS].index("@dataset") : FILES[ORDERS].index("@feature_view")]

FACTORY = '''
class Scale:
    def __init__(self, n):
        self.n = n

    def apply(self, value):
        return value * self.n


def made(factor, apply, table):
    def orders(raw_orders: Frame[RawOrders]) -> Frame[Orders]:
        """Orders in euros."""
        worth = apply(pl.col("amount")) * factor * table[0]
        return raw_orders.select("customer", "ordered_at", "loaded_at", euros=worth)

    return dataset(owner="shop")(orders)


orders = made(2, ARGUMENT, [1, 2])


'''
ARGUMENTS = {
    "a function": "scaled",
    "a bound method": "Scale(7).apply",
    "a lambda": "lambda v: v * 7",
    "a partial": "__import__('functools').partial(scaled)",
    "an object": "Scale(7).apply.__self__.apply",
}


def project(argument: str, old: str = "", new: str = "") -> dict[str, str]:
    text = FACTORY.replace("ARGUMENT", argument)
    return {ORDERS: FILES[ORDERS].replace(DATASET, text.replace(old, new) if old else text)}


@pytest.mark.parametrize("argument", ARGUMENTS.values(), ids=ARGUMENTS)
def test_two_states_of_a_factory_agree(state, argument):
    """Equal files have equal fingerprints for every value that the factory holds."""
    assert changed(state(project(argument)), state(project(argument)), "orders") == ()


@pytest.mark.parametrize(
    ("argument", "old", "new", "text"),
    [
        ("scaled", "made(2", "made(3", "constant factor of made.orders 2 -> 3"),
        ("scaled", "[1, 2]", "[5, 2]", "constant table of made.orders [1, 2] -> [5, 2]"),
        ("scaled", "* factor", "/ factor", "body of made.orders changed"),
        ("Scale(7).apply", "Scale(7)", "Scale(8)", "the whole module changed"),
        ("Scale(7).apply", "value * self.n", "value / self.n", "the whole module changed"),
        ("lambda v: v * 7", "v * 7", "v * 8", "body of <lambda> changed"),
        ("scaled", "made(2, scaled", "made(2, helper.unused", "no longer uses scaled"),
    ],
)
def test_what_a_factory_holds_counts(state, argument, old, new, text):
    """A variable of the enclosing function is a constant of the definition, and its code is followed."""
    texts = [d.text for d in changed(state(project(argument)), state(project(argument, old, new)), "orders")]
    assert any(text in line for line in texts), texts
