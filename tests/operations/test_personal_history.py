"""The history of a dataset keeps counts of personal columns, and no values."""

import re

import msgspec

import featurestore

DECLARED = 'ge=1, description="who ordered")'
PERSONAL = 'ge=1, description="who ordered", metadata={"personal": True})'


def metrics_of(project, column):
    [run] = project.quality.history("orders")
    return {metric.kind for metric in run.metrics if metric.columns == (column,)}


def mark_personal(folder):
    schemas = folder / "schemas/shop.py"
    schemas.write_text(schemas.read_text().replace(DECLARED, PERSONAL, 1))
    return featurestore.open(folder)


def test_a_personal_mean_is_not_written(shop_files):
    """The file of the history has the mean of a number, and not the mean of a personal number."""
    project = mark_personal(shop_files)
    project.validate("orders")
    run = msgspec.json.decode(project.layout.history("orders").read_bytes())
    kinds = [(metric["kind"], *metric["columns"]) for metric in run["metrics"] if "columns" in metric]
    assert {kind for kind, column in kinds if column == "customer"} == {"null_share", "distinct"}
    assert ("mean", "amount") in kinds


def test_a_column_that_becomes_personal_loses_its_earlier_values(shop_files):
    """Runs from before the change are read without the values of the column."""
    before = featurestore.open(shop_files)
    before.validate("orders")
    assert "mean" in metrics_of(before, "customer")
    assert metrics_of(mark_personal(shop_files), "customer") == {"null_share", "distinct"}


def test_personal_columns_are_counted_each_time_that_they_are_validated(shop_files):
    """A dataset whose columns are all personal is validated twice: drift, anomalies, assessment and report count its rows."""
    schemas = shop_files / "schemas/shop.py"
    orders, _, rest = schemas.read_text().partition("class LastOrder")
    orders = orders.replace('metadata={"unit": "EUR"})', 'metadata={"unit": "EUR", "personal": True})')
    orders = re.sub(r'(description="[a-z ]+")\)', r'\1, metadata={"personal": True})', orders)
    assert orders.count('"personal": True') == 6
    schemas.write_text(f"{orders}class LastOrder{rest}")
    project = featurestore.open(shop_files)
    for _ in range(2):
        project.validate("orders")
        assert project.quality.drift("orders", "orders").severity == "none"
        assert project.quality.anomalies("orders") == ()
        assert project.quality.assess("orders").dataset == "orders"
        project.report()
