"""Verdicts as JUnit XML, which CI servers show: a suite for each dataset, a case for each rule that could be broken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import UNSET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.quality.gate.verdict import RuleCount, Verdict

# What XML 1.0 has no way to say.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(
    verdicts: Sequence[Verdict], *, unjudged: dict[str, str] | None = None, waiting: Sequence[str] = ()
) -> str:
    """Write verdicts as JUnit XML.

    A rule that rows, or the dataset as a whole, broke is a failure, whatever was done about it: the suite's property
    ``decision`` tells that. A broken rule that only warns passes, and says so; what could not be evaluated is skipped.

    Parameters
    ----------
    unjudged
        Why datasets could not be judged at all, such as a missing column, by name: errors.
    waiting
        Datasets that were not reached: skipped.
    """
    root = Element("testsuites", name="featurestore")
    for verdict in verdicts:
        _suite(root, verdict)
    for name, reason in (unjudged or {}).items():
        suite = SubElement(root, "testsuite", name=name)
        message = _spoken(reason)
        SubElement(_case(suite, name, "columns"), "error", message=message.splitlines()[0]).text = message
    for name in waiting:
        suite = SubElement(root, "testsuite", name=name)
        SubElement(_case(suite, name, "not reached"), "skipped", message="a dataset before it was refused")
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
    broken = {count.label: count for count in verdict.rules}
    checked = () if verdict.checked is UNSET else [rule.name for rule in verdict.checked]
    for rule in dict.fromkeys((*checked, *broken)):
        case = _case(suite, verdict.dataset, rule)
        if rule not in broken:
            continue
        count = broken[rule]
        told = _told(count, verdict)
        examples = f"such as {', '.join(count.examples)}" if count.examples else ""
        if count.warning:
            SubElement(case, "system-out").text = _spoken(f"warning: {told} {examples}".rstrip())
        else:
            failure = SubElement(case, "failure", message=told, type=verdict.decision)
            failure.text = _spoken(examples) or None
    for missing in verdict.unevaluated:
        SubElement(_case(suite, verdict.dataset, missing.name), "skipped", message=_spoken(missing.reason))


def _told(count: RuleCount, verdict: Verdict) -> str:
    if count.whole_dataset:
        return "the dataset as a whole breaks it"
    return f"{count.broken:,} of {verdict.rows_in:,} rows break it"


def _case(suite: Element, dataset: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=_spoken(dataset), name=_spoken(name))


def _count(element: Element, cases: object) -> None:
    listed = list(cases)  # type: ignore[call-overload]
    element.set("tests", str(len(listed)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(kind) is not None for case in listed)))


def _spoken(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text)
