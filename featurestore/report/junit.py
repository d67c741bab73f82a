"""Verdicts as JUnit XML for CI servers: a suite for each dataset, a case for each rule."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import UNSET

from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.quality.gate.verdict import RuleCount, Verdict

# Characters that XML 1.0 cannot represent.
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(
    verdicts: Sequence[Verdict], *, errors: dict[str, str] | None = None, skipped: Sequence[str] = ()
) -> str:
    """Write verdicts as JUnit XML.

    A rule that rows or the whole dataset broke is a failure, also if the rows went to quarantine;
    the suite's property ``decision`` names the decision. A broken rule of severity warning passes,
    with a note. An expectation that could not be evaluated is skipped.

    Parameters
    ----------
    errors
        Datasets that could not be checked, by name, each with the reason, such as a missing column.
    skipped
        Datasets that were not checked because an earlier one was refused.
    """
    root = Element("testsuites", name="featurestore")
    for verdict in verdicts:
        _suite(root, verdict)
    for name, reason in (errors or {}).items():
        suite = SubElement(root, "testsuite", name=name)
        message = _valid(reason)
        SubElement(_case(suite, name, "columns"), "error", message=message.splitlines()[0]).text = message
    for name in skipped:
        suite = SubElement(root, "testsuite", name=name)
        SubElement(_case(suite, name, "not reached"), "skipped", message="an earlier dataset was refused")
    for suite in root:
        _count(suite, suite.iter("testcase"))
    _count(root, root.iter("testcase"))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(root: Element, verdict: Verdict) -> None:
    suite = SubElement(root, "testsuite", name=verdict.dataset)
    properties = SubElement(suite, "properties")
    for name in ("contract", "decision", "rows_in", "rows_passed", "rows_quarantined"):
        SubElement(properties, "property", name=name, value=str(getattr(verdict, name)))
    counts = {(count.rule, count.after_removal): count for count in verdict.rules}
    checked = () if verdict.checked is UNSET else verdict.checked
    for rule, after_removal in dict.fromkeys((*((rule, False) for rule in checked), *counts)):
        count = counts.get((rule, after_removal))
        case = _case(suite, verdict.dataset, rule.name if count is None else count.label)
        if count is None:
            continue
        message = _message(count, verdict)
        examples = f"such as {', '.join(count.examples)}" if count.examples else ""
        if count.warning:
            SubElement(case, "system-out").text = _valid(f"warning: {message} {examples}".rstrip())
        else:
            failure = SubElement(case, "failure", message=message, type=verdict.decision)
            failure.text = _valid(examples) or None
    for missing in verdict.unevaluated:
        SubElement(_case(suite, verdict.dataset, missing.name), "skipped", message=_valid(missing.reason))


def _message(count: RuleCount, verdict: Verdict) -> str:
    if count.whole_dataset:
        return "the dataset as a whole breaks it"
    return f"{count.broken:,} of {counted(verdict.rows_in, 'row')} break it"


def _case(suite: Element, dataset: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=_valid(dataset), name=_valid(name))


def _count(element: Element, cases: object) -> None:
    listed = list(cases)  # type: ignore[call-overload]
    element.set("tests", str(len(listed)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(kind) is not None for case in listed)))


def _valid(text: str) -> str:
    return _INVALID.sub("\ufffd", text)
