"""Every planted leak is found, with its row, its feature, both values and its origin; clean views have none."""

import json

import pytest
from planted_leaks import CLEAN, KNOWN, LEAKS, make_orders, write_shop
from runner import run
from shop import write_files

import featurestore
from featurestore import DefinitionError, SkewError, UnknownNameError
from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.known import known_of_rows
from featurestore.operations.check.timeless import Timeless
from featurestore.operations.check_leaks.check_leaks import check_leaks


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A shop with few orders: each view is built at each timestamp."""
    return write_shop(tmp_path_factory.mktemp("shop"), make_orders(10, 2))


def test_clean_views_have_no_leak(project):
    """Past rows, windows, running sums, delays and joins on known values are clean, and all rows are tested."""
    record = project.check_leaks([*CLEAN, "last_order", "delayed"])
    assert record.leaks == ()
    assert {checked.result for checked in record.views} == {"no leak"}
    assert all(checked.tested == checked.rows > 0 for checked in record.views)
    record.require_none()


@pytest.mark.parametrize("name", [*LEAKS, "through", "secret"])
def test_planted_leaks_are_found(project, name):
    """A feature that reads what became known later is found, with a row that leaks and where from."""
    record = project.check_leaks([name])
    [checked] = record.views
    assert checked.leaking > 0
    assert record.leaks[0].origin.dataset == "orders"
    with pytest.raises(SkewError, match=name):
        record.require_none()


def test_a_leak_names_row_feature_both_values_and_origin(project):
    """The next order's amount comes from the amount of the next order, and a refund from its own row."""
    leak = project.check_leaks(["next_amount"]).leaks[0]
    rows = project.read("orders").sort("order").rows(named=True)
    row, successor = next(
        (row, successor)
        for row in rows
        for successor in [next(r for r in rows[row["order"] + 1 :] if r["customer"] == row["customer"])]
        if successor["amount"] is not None
    )
    assert leak.view == "next_amount"
    assert leak.key == f"customer={row['customer']} event_timestamp={row['ordered_at']:%Y-%m-%dT%H:%M:%SZ}"
    assert (leak.feature, leak.with_future, leak.without_future) == (
        "value",
        str(successor["amount"]),
        "None",
    )
    assert leak.known_at == row["ordered_at"]
    origin = leak.origin
    assert (origin.dataset, origin.key) == ("orders", f"order={successor['order']}")
    assert (origin.columns, origin.known_at) == (("amount",), successor["ordered_at"])
    refund = project.check_leaks(["refund_now"]).leaks[0]
    assert refund.origin.columns == ("refund",)


def test_personal_values_are_not_shown(project):
    """A leak of a personal feature names the row, and not its values."""
    leak = project.check_leaks(["secret"]).leaks[0]
    assert (leak.with_future, leak.without_future) == ("(personal)", "(personal)")


def test_the_command_prints_what_was_tested_and_exits_with_5(project):
    """The command prints a table or the record, keeps the record, and then names the leaks."""
    root = project.settings.root
    passed = run("check-leaks", "last_amount", cwd=root)
    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout.splitlines()[1].split() == ["last_amount", "10", "10", "0", "no", "leak"]
    failed = run("check-leaks", "sum_over", "--json", cwd=root)
    assert failed.returncode == 5
    kept = json.loads(project.layout.leaks.read_text())
    assert json.loads(failed.stdout)["views"][0] in kept["views"]
    assert {"last_amount", "sum_over"} <= {view["name"] for view in kept["views"]}
    assert "of sum_over depend on what became known later" in failed.stderr
    with pytest.raises(UnknownNameError, match="feature view or training set named 'sum_ove'"):
        project.check_leaks(["sum_ove"])


def test_an_input_that_does_not_tell_when_it_is_known_cannot_be_proven(tmp_path):
    """Such a view does not pass: the record says so, and the command exits with 3."""
    schema = write_files(tmp_path) / "schemas/shop.py"
    schema.write_text(schema.read_text().replace(f", {KNOWN}", ""))
    project = featurestore.open(tmp_path)
    project.validate("orders")
    assert project.timeless() == Timeless(static=(), unproven=("orders",))
    printed = run("check", cwd=tmp_path).stdout
    assert (
        "orders: nothing tells when its rows become known; check-leaks cannot prove the views and steps that read it"
        in printed
    )
    record = project.check_leaks()
    assert [view.result for view in record.views] == ["cannot be proven: orders"]
    with pytest.raises(DefinitionError, match=r"last_order: cannot be proven.* of orders become known"):
        record.require_none()


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('"order_at"', "not a column of the schema"),
        ('"amount"', "Float64; expected"),
        ("7", "expected a column"),
        ("timedelta(1)", "expected a column"),
        ("(timedelta(1),)", "expected a column"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_refused(tmp_path, declared, message):
    """A declaration names columns of UTC timestamps."""
    write_files(tmp_path)
    schema = tmp_path / "schemas/shop.py"
    text = schema.read_text().replace(KNOWN, f'"known": {declared}')
    schema.write_text(f"from datetime import timedelta\n{text}")
    project = featurestore.open(tmp_path)
    with pytest.raises(DefinitionError, match=message):
        project.check()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A shop whose views have too many timestamps to build them at each one."""
    return write_shop(tmp_path_factory.mktemp("large"), make_orders(400, 3))


@pytest.mark.parametrize("name", ["last_amount", "former", "rolled", "arrived", "total"])
def test_windows_prove_all_rows_of_clean_views(large, name):
    """Each row comes out the same from the last rows of its key, or from all of them."""
    [checked] = check_leaks(large._workspace, [name], cuts=4).views
    assert (checked.result, checked.tested) == ("no leak", checked.rows)


@pytest.mark.parametrize(
    "name", ["next_amount", "backward_fill", "refund_now", "wrong_join", "sum_over", "daily"]
)
def test_windows_do_not_hide_leaks(large, name):
    """Rows that no window proves are tested at some timestamps, and leak there."""
    [checked] = check_leaks(large._workspace, [name], cuts=4).views
    assert 0 < checked.leaking <= checked.tested


def test_a_view_across_keys_is_tested_at_some_timestamps_and_says_so(large):
    """No window of a key gives a sum over all customers: the rows tested are those of the chosen timestamps."""
    [checked] = check_leaks(large._workspace, ["everyone"], cuts=4).views
    assert checked.result == "no leak in the tested rows"
    assert 0 < checked.tested < checked.rows


def test_one_row_among_many_that_leaks_is_found(large):
    """Of 400 orders one reads the future: windows leave this row alone, and it is tested."""
    [checked] = check_leaks(large._workspace, ["once"], cuts=4).views
    assert (checked.leaking, checked.tested) == (1, checked.rows)


def test_a_declaration_changes_no_fingerprint(tmp_path):
    """`known` decides no value, so that nothing has to be built again."""
    project = featurestore.open(write_files(tmp_path))
    before = fingerprint(project.catalog.view("last_order")).digest
    schema = tmp_path / "schemas/shop.py"
    text = schema.read_text().replace(KNOWN, '"known": "ordered_at"')
    schema.write_text(
        text.replace('description="coupon")', 'description="coupon", metadata={"known": "ordered_at"})', 1)
    )
    changed = featurestore.open(tmp_path)
    assert known_of_rows(changed.catalog.node("orders").contract).columns == ("ordered_at",)
    assert fingerprint(changed.catalog.view("last_order")).digest == before
