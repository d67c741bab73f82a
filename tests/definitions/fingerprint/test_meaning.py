"""Edits that change values: each changes the fingerprint and is named."""

import json
from importlib.metadata import version as installed_version

import pytest
from grown_shop import FILES, changed, replaced

from featurestore.definitions.fingerprint import installed
from featurestore.definitions.fingerprint.recorded import record_of
from featurestore.errors import ConfigError

ORDERS, SCHEMAS, HELPER, RATES = (
    "feature_repo/orders.py",
    "schemas/orders.py",
    "feature_repo/helper.py",
    "lib/rates.py",
)


@pytest.mark.parametrize(
    ("definition", "change", "text"),
    [
        (
            "customer_spending",
            replaced(ORDERS, ".sum()", ".mean()"),
            "body of customer_spending changed (feature_repo/orders.py)",
        ),
        (
            "customer_spending",
            replaced(ORDERS, '"30d"', '"60d"'),
            "constant PERIOD '30d' -> '60d' in feature_repo/orders.py",
        ),
        (
            "orders",
            replaced(HELPER, "* FACTOR", "/ FACTOR"),
            "body of scaled changed (feature_repo/helper.py)",
        ),
        (
            "orders",
            replaced(HELPER, "FACTOR = 2", "FACTOR = 3"),
            "constant FACTOR 2 -> 3 in feature_repo/helper.py",
        ),
        (
            "orders",
            replaced(RATES, 'RATES["EUR"]', 'RATES["USD"]'),
            "body of converted changed (lib/rates.py)",
        ),
        (
            "orders",
            replaced(RATES, "0.9", "0.8"),
            "constant RATES {'EUR': 1.0, 'USD': 0.9} -> {'EUR': 1.0, 'USD': 0.8} in lib/rates.py",
        ),
        (
            "compared",
            replaced(HELPER, "FACTOR = 2", "FACTOR = 2_000"),
            "constant FACTOR 2 -> 2000 in feature_repo/helper.py",
        ),
        (
            "visits",
            replaced(ORDERS, "timedelta(hours=1)", "timedelta(hours=2)"),
            "body of visits changed (feature_repo/orders.py)",
        ),
        (
            "raw_orders",
            replaced(SCHEMAS, "ge=0, le=MAX", "ge=1, le=MAX"),
            "check amount.ge(0) -> amount.ge(1) of schema RawOrders",
        ),
        (
            "raw_orders",
            replaced("schemas/terms.py", "10_000", "20_000"),
            "check amount.le(10000) -> amount.le(20000) of schema RawOrders",
        ),
        (
            "raw_orders",
            replaced(SCHEMAS, ".total_days() <", ".total_days() <="),
            "body of RawOrders.loaded_soon changed (schemas/orders.py)",
        ),
        (
            "raw_orders",
            replaced(SCHEMAS, "SLACK_DAYS = 30", "SLACK_DAYS = 31"),
            "constant SLACK_DAYS 30 -> 31 in schemas/orders.py",
        ),
        (
            "raw_orders",
            replaced(SCHEMAS, "(1, 1_000)", "(1, 2_000)"),
            "check expect rows (1, 1000) -> expect rows (1, 2000) of schema RawOrders",
        ),
        (
            "raw_orders",
            replaced(SCHEMAS, '"tolerance": 0.3', '"tolerance": 0.4'),
            "policy tolerance 0.3 -> 0.4 of schema RawOrders",
        ),
        (
            "raw_orders",
            replaced(SCHEMAS, '"quarantine"', '"warn"'),
            "policy on_invalid quarantine -> warn of schema RawOrders",
        ),
        (
            "raw_orders",
            replaced(SCHEMAS, "strict = True", "strict = False"),
            "policy strict True -> False of schema RawOrders",
        ),
        (
            "raw_orders",
            replaced(SCHEMAS, "unique=True, ", ""),
            "column order Int64, unique -> Int64 of schema RawOrders",
        ),
        (
            "compared",
            replaced(SCHEMAS, "ratio: pl.Float32", "ratio: pl.Float64"),
            "column ratio Float32, nullable -> Float64, nullable of schema Compared",
        ),
        (
            "raw_orders",
            replaced(ORDERS, 'null_values=("-",)', 'null_values=("-", "?")'),
            "reader null_values ('-',) -> ('-', '?')",
        ),
        (
            "raw_orders",
            replaced(ORDERS, "data/raw/orders.csv", "data/raw/orders/*.csv"),
            "reader path data/raw/orders.csv -> data/raw/orders/*.csv",
        ),
        (
            "customer_spending",
            replaced(ORDERS, "ttl=timedelta(days=5)", "ttl=timedelta(days=6)"),
            "timing ttl 5 days, 0:00:00 -> 6 days, 0:00:00",
        ),
        (
            "customer_spending",
            replaced(ORDERS, "minutes=1", "minutes=2"),
            "timing delay 0:01:00 -> 0:02:00",
        ),
        (
            "customer_spending",
            replaced(ORDERS, "delay=", "by_key=True, delay="),
            "timing by_key False -> True",
        ),
        (
            "buying",
            replaced(ORDERS, "(customer_spending, compared)", '(customer_spending["spent_30d"], compared)'),
            "schema features of customer_spending orders_30d, spent_30d -> spent_30d",
        ),
        (
            "visits",
            replaced(ORDERS, 'label="bought"', 'label="basket"'),
            "schema label bought -> basket",
        ),
    ],
)
def test_an_edit_that_changes_values_is_caught_and_named(state, definition, change, text):
    """One edit changes the digest of the definition, and the difference names it and nothing else."""
    before, after = state(), state(change)
    assert [difference.text for difference in changed(before, after, definition)] == [text]


@pytest.mark.parametrize(
    ("definition", "change", "text"),
    [
        (
            "customer_spending",
            replaced(HELPER, "FACTOR = 2", "FACTOR = 3"),
            "upstream orders: constant FACTOR 2 -> 3",
        ),
        (
            "visits",
            replaced(SCHEMAS, "ge=0, le=MAX", "ge=1, le=MAX"),
            "upstream raw_orders: check amount.ge(0)",
        ),
        (
            "buying",
            replaced(ORDERS, ".sum()", ".max()"),
            "upstream customer_spending: body of customer_spending",
        ),
        ("visits", replaced(ORDERS, "minutes=1", "minutes=2"), "upstream customer_spending: timing delay"),
    ],
)
def test_a_change_upstream_is_named_once_with_the_definition_it_belongs_to(state, definition, change, text):
    """A definition changes with everything that it reads, through any number of definitions."""
    before, after = state(), state(change)
    (difference,) = changed(before, after, definition)
    assert difference.text.startswith(text)


def test_a_change_does_not_reach_what_does_not_read_it(state):
    """A definition keeps its digest when code changes that it does not use, in the same files."""
    before = state()
    after = state(replaced(HELPER, "UNUSED = 1", "UNUSED = 2") | replaced(ORDERS, "hours=1", "hours=2"))
    for name in ("raw_orders", "orders", "customer_spending", "compared", "buying"):
        assert not changed(before, after, name)
    assert changed(before, after, "visits")


def test_the_order_of_inputs_counts(state):
    """Two inputs of one function that change places change its values."""
    two = (
        FILES[ORDERS]
        + '''

@dataset(owner="shop")
def joined(a: Frame[Orders], b: Frame[CustomerSpending]) -> Frame[Joined]:
    """Both."""
    return a.join(b, on="customer").select("customer")
'''
    )
    two = two.replace("Basket, Compared", "Joined, Basket, Compared")
    schemas = (
        FILES[SCHEMAS]
        + '''

class Joined(pa.DataFrameModel):
    """Both."""

    customer: pl.String = pa.Field(description="who")
'''
    )
    swapped = two.replace(
        "a: Frame[Orders], b: Frame[CustomerSpending]", "a: Frame[CustomerSpending], b: Frame[Orders]"
    )
    before = state({ORDERS: two, SCHEMAS: schemas})
    after = state({ORDERS: swapped, SCHEMAS: schemas})
    (difference,) = changed(before, after, "joined")
    assert difference.text == "inputs changed order"


def test_helpers_that_change_places_are_caught(state):
    """Two helpers of equal parts, imported the other way round, compute other values."""
    helpers = {
        "feature_repo/a.py": "FACTOR = 1\n\ndef twice(x):\n    return x * FACTOR\n",
        "feature_repo/b.py": "FACTOR = 2\n\ndef twice(x):\n    return x * FACTOR\n",
    }
    body = replaced(ORDERS, 'scaled(pl.col("amount"))', 'first(pl.col("amount")) - second(pl.col("amount"))')[
        ORDERS
    ]
    left, right = (
        body.replace(
            "from .helper import scaled", f"from .{x} import twice as first\nfrom .{y} import twice as second"
        )
        for x, y in ("ab", "ba")
    )
    before, after = state({ORDERS: left, **helpers}), state({ORDERS: right, **helpers})
    assert changed(before, after, "orders")


def test_a_package_that_computes_counts_by_its_version(state, monkeypatch):
    """Another version of Polars is another fingerprint, and is named once for all upstream definitions."""
    before = state()
    before.fingerprint("visits")
    version = installed.installed_version
    monkeypatch.setattr(
        installed, "installed_version", lambda name: "9.9.9" if name == "polars" else version(name)
    )
    (difference,) = changed(before, state(), "visits")
    assert difference.text == f"polars {version('polars')} -> 9.9.9"
    semantics = installed.SEMANTICS
    monkeypatch.setattr(installed, "SEMANTICS", semantics + 1)
    texts = [difference.text for difference in changed(before, state(), "orders")]
    assert f"featurestore semantics {semantics} -> {semantics + 1}" in texts


def test_a_third_party_module_counts_by_the_version_of_its_distribution(state):
    """What the code of a helper imports is listed, also where the module has another name than the distribution."""
    shop = state(
        {
            RATES: "import msgspec\nimport yaml\n\n\ndef converted(value):\n    yaml.safe_load('1')\n    return msgspec.json.decode('1') * value\n"
        }
    )
    packages = {part.name for part in shop.fingerprint("orders").parts if part.kind == "package"}
    assert packages == {"featurestore semantics", "msgspec", "pandera", "polars", "pyarrow", "PyYAML"}


ABSENT = "def converted(value):\n    import absent_module\n\n    return absent_module.rate(value)\n"


@pytest.mark.parametrize(
    ("record", "name", "version"),
    [
        ("{}", "absent_module", "not installed"),
        ('{"absent_module": "1.2"}', "absent_module", "1.2"),
        ('{"absent-dist": "1.2", "modules": {"absent_module": ["absent-dist"]}}', "absent-dist", "1.2"),
        ('{"polars": "0.1"}', "polars", installed_version("polars")),
    ],
)
def test_a_package_that_is_not_installed_has_the_version_of_the_record(state, record, name, version):
    """A machine that only serves need not have what only views need. The record never replaces an installed version."""
    shop = state({RATES: ABSENT, "packages.json": record})
    parts = {part.name: part.value for part in shop.fingerprint("orders").parts if part.kind == "package"}
    assert parts[name] == version


def test_a_record_that_cannot_be_read_is_refused(state):
    """The error names the file; without a package that is missing here, nobody reads the file."""
    state({"packages.json": "[1]"})
    with pytest.raises(ConfigError, match=r"packages\.json: cannot be read"):
        state({RATES: ABSENT, "packages.json": "[1]"})


def test_the_record_names_modules_whose_distributions_have_other_names():
    """A module that has the name of its distribution, or is private, is not listed; nor are rules of our own."""
    versions = {"PyYAML": "6.0", "featurestore semantics": "2", "polars": "2.1", "scikit-learn": "1.7"}
    assert json.loads(record_of(versions)) == {
        **versions,
        "modules": {"sklearn": ["scikit-learn"], "yaml": ["PyYAML"]},
    }
