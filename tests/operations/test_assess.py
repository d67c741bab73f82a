"""The assessment answers five questions from facts and declarations.

An unknown fact counts against a yes.
"""

import featurestore


def answers(assessment):
    return {question: assessment.yes(question) for question in assessment.answers}


def facts(assessment, question):
    return {fact.topic: (fact.finding, fact.good) for fact in assessment.answers[question]}


def test_a_missing_declaration_counts_against_a_yes(shop):
    """The shop declares neither a licence nor personal data."""
    assessment = shop.quality.assess("orders")
    assert answers(assessment)["accessible"] is False
    assert facts(assessment, "accessible")["licence"] == ("not declared", False)
    assert facts(assessment, "accessible")["owner"] == ("shop", True)
    assert answers(assessment)["understandable"] is True
    finding, good = facts(assessment, "usable")["rule customer.greater_than_or_equal_to(1)"]
    assert (finding, good) == ("broken 1 time", False)


def test_declarations_count(shop_files):
    """Licence, use, personal columns and segments are declared.

    The age of the newest row is measured.
    """
    schemas = shop_files / "schemas/shop.py"
    declared = '"licence": "internal", "permitted_use": "forecasts", "segments": ["coupon"], '
    declared += '"expect": {"fresh": {"ordered_at": timedelta(days=1, hours=12)}}, "on_invalid"'
    text = schemas.read_text().replace('"on_invalid"', declared)
    personal = 'description="who ordered", metadata={"personal": True})\n    ordered_at'
    text = text.replace("import pandera", "from datetime import timedelta\n\nimport pandera", 1)
    schemas.write_text(text.replace('description="who ordered")\n    ordered_at', personal))
    project = featurestore.open(shop_files)
    project.validate("orders")
    assessment = project.quality.assess("orders")
    assert answers(assessment)["accessible"] is True
    assert facts(assessment, "accessible")["personal data"] == ("customer", True)
    assert facts(assessment, "sizeable")["rows by coupon"][0].startswith("(missing) 5, SPRING 1")
    assert facts(assessment, "reliable")["freshness: ordered_at"][0].endswith(
        "12.0 hours before now; expected at most 1 day 12 hours"
    )
    assert all(
        value is None for _, value, _ in project.quality.profile("orders").columns["customer"].values.counts
    )
