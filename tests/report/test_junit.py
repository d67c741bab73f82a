"""JUnit XML: a verdict as a CI server shows it."""

import json
from xml.etree import ElementTree as ET

from runner import run

from featurestore.quality.gate.verdict import RuleCount, Unevaluated, Verdict
from featurestore.quality.rules.rule_id import RuleId
from featurestore.report.junit import junit

MIN_1 = RuleId("ge", ("a",), ("1",))
ROWS = RuleId("rows", (), ("1", "5"))


def verdict(**fields):
    return Verdict(
        **{"dataset": "d", "contract": "D", "decision": "passed", "rows_in": 9, "rows_passed": 9}
        | {"rows_quarantined": 0, **fields}
    )


def parsed(text):
    return ET.fromstring(text)  # noqa: S314 - our own file


def cases(text):
    """Return the outcome of each case by its name."""
    return {
        case.get("name"): case[0].tag if len(case) else "passed" for case in parsed(text).iter("testcase")
    }


def test_a_case_for_each_rule():
    """A rule passes, fails with its count and examples, warns, or is not evaluated."""
    text = junit(
        [
            verdict(
                decision="quarantined",
                rules=(
                    RuleCount(rule=MIN_1, warning=False, broken=2, examples=("-1", "<0>")),
                    RuleCount(rule=RuleId("known"), warning=True, broken=3, examples=("7",)),
                    RuleCount(rule=ROWS, warning=False, broken=1, whole_dataset=True),
                ),
                checked=(RuleId("not_null", ("a",)), MIN_1, RuleId("known"), ROWS),
                unevaluated=(Unevaluated(rule=RuleId("fresh"), reason="the current time is not known"),),
            )
        ]
    )
    assert text == (
        """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="featurestore" tests="5" failures="2" errors="0" skipped="1">
  <testsuite name="d" tests="5" failures="2" errors="0" skipped="1">
    <properties>
      <property name="contract" value="D" />
      <property name="decision" value="quarantined" />
      <property name="rows_in" value="9" />
      <property name="rows_passed" value="9" />
      <property name="rows_quarantined" value="0" />
    </properties>
    <testcase classname="d" name="a.not_null" />
    <testcase classname="d" name="a.ge(1)">
      <failure message="2 of 9 rows break it" type="quarantined">such as -1, &lt;0&gt;</failure>
    </testcase>
    <testcase classname="d" name="known">
      <system-out>warning: 3 of 9 rows break it such as 7</system-out>
    </testcase>
    <testcase classname="d" name="rows(1, 5)">
      <failure message="the dataset as a whole breaks it" type="quarantined" />
    </testcase>
    <testcase classname="d" name="fresh">
      <skipped message="the current time is not known" />
    </testcase>
  </testsuite>
</testsuites>
"""
    )


def test_characters_that_xml_cannot_represent_are_replaced():
    """A value may contain any character, and the file stays readable."""
    bad = RuleCount(rule=RuleId("a\x00\x1b"), warning=False, broken=1, examples=("\ufffe\ud800",))
    assert cases(junit([verdict(rules=(bad,))])) == {"a\ufffd\ufffd": "failure"}


def test_validate_writes_it(shop_files):
    """`validate --junit` writes a case for each rule, also for rules that no row broke."""
    done = run("validate", "--junit", str(shop_files / "out/junit.xml"), cwd=shop_files)
    assert done.returncode == 0, done.stderr
    outcomes = cases((shop_files / "out/junit.xml").read_text())
    assert outcomes["customer.greater_than_or_equal_to(1)"] == "failure"
    assert outcomes["order.unique"] == "passed"
    assert outcomes["order.dtype(Int64)"] == "passed"
    assert outcomes["not_empty"] == "passed"


def test_a_refused_dataset_is_reported_in_full(shop_files):
    """`--json` prints its verdict, `--junit` writes it, and the exit code is 4."""
    orders = shop_files / "data/raw/orders.csv"
    orders.write_text(orders.read_text().replace(",10.5,", ",-1,").replace("1,", "0,"))
    done = run("validate", "--json", "--junit", str(shop_files / "junit.xml"), cwd=shop_files)
    assert done.returncode == 4
    [record] = json.loads(done.stdout)
    assert record["decision"] == "refused"
    assert "checked" not in record
    assert "orders: refused" in done.stderr
    root = parsed((shop_files / "junit.xml").read_text())
    assert int(root.get("failures")) >= 1
    assert {p.get("name"): p.get("value") for p in root.iter("property")}["decision"] == "refused"


def test_a_file_that_cannot_be_checked_is_an_error(shop_files):
    """A file without a column of the contract has no verdict."""
    (shop_files / "data/raw/orders.csv").write_text("order\n1\n")
    done = run("validate", "--json", "--junit", str(shop_files / "junit.xml"), cwd=shop_files)
    assert done.returncode == 4
    assert json.loads(done.stdout) == []
    assert cases((shop_files / "junit.xml").read_text()) == {"columns": "error"}


def test_build_stops_at_the_first_that_is_refused(shop_files):
    """The datasets after it are skipped."""
    assert run("validate", cwd=shop_files).returncode == 0
    code = shop_files / "feature_repo/shop.py"
    code.write_text(
        code.read_text().replace(
            '"customer", "amount", "coupon", "ordered_at",', '"customer", "amount", "ordered_at",'
        )
        + '''

@feature_view(entity=customer, owner="shop")
def second_order(orders: Frame[RawOrders]) -> Frame[SecondOrder]:
    """Another."""
    return orders.select("customer", "coupon", event_timestamp="ordered_at")
'''.replace("SecondOrder", "Second")
    )
    code.write_text(code.read_text().replace("RawOrders, Visits", "RawOrders, Second, Visits"))
    schema = shop_files / "schemas/shop.py"
    schema.write_text(
        schema.read_text()
        + '''

class Second(pa.DataFrameModel):
    """Another."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    coupon: pl.String = pa.Field(nullable=True, description="coupon")
'''
    )
    done = run("build", "--json", "--junit", str(shop_files / "junit.xml"), cwd=shop_files)
    assert done.returncode == 4, done.stderr
    assert cases((shop_files / "junit.xml").read_text()) == {"columns": "error", "not reached": "skipped"}
