"""The assessment answers five questions from facts and declarations.

An unknown fact counts against a yes.
"""

import featurestore


def answers(found):
    return {question: found.yes(question) for question in found.answers}


def facts(found, question):
    return {fact.topic: (fact.finding, fact.good) for fact in found.answers[question]}


def test_a_missing_declaration_counts_against_a_yes(shop):
    """The shop declares neither a licence nor personal data."""
    found = shop.quality.assess("orders")
    assert answers(found)["accessible"] is False
    assert facts(found, "accessible")["licence"] == ("not declared", False)
    assert facts(found, "accessible")["owner"] == ("shop", True)
    assert answers(found)["understandable"] is True
    finding, good = facts(found, "usable")["rule customer.greater_than_or_equal_to(1)"]
    assert (finding, good) == ("broken 1 time", False)


def test_declarations_count(shop_files):
    """Licence, use, personal columns and segments are declared.

    The age of the newest row is measured.
    """
    schemas = shop_files / "schemas/shop.py"
    declared = '"licence": "internal", "permitted_use": "forecasts", "segments": ["coupon"], "on_invalid"'
    text = schemas.read_text().replace('"on_invalid"', declared)
    personal = 'description="who ordered", metadata={"personal": True})\n    ordered_at'
    schemas.write_text(text.replace('description="who ordered")\n    ordered_at', personal))
    project = featurestore.open(shop_files)
    project.validate("orders")
    found = project.quality.assess("orders")
    assert answers(found)["accessible"] is True
    assert facts(found, "accessible")["personal data"] == ("customer", True)
    assert facts(found, "sizeable")["rows by coupon"][0].startswith("(missing) 5, SPRING 1")
    assert facts(found, "reliable")["freshness: ordered_at"][0].endswith("12.0 hours before now")
    assert all(
        value is None for _, value, _ in project.quality.profile("orders").columns["customer"].values.counts
    )
