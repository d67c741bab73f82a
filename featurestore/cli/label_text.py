"""Text of the labels of a training set: what found an answer in the served log, and how far labellers agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.values.escapes import one_line
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.project import TrainingManifest

MAX_SHOWN = 3
DIGEST_CHARACTERS = 19  # "sha256:" and 12 digits


def label_lines(manifest: TrainingManifest) -> Iterator[str]:
    """Show answers without a label, labels without an answer, and the agreement of labellers."""
    yield from _served_lines(manifest)
    if manifest.agreement is None or manifest.labellers is None:
        return
    agreement = manifest.agreement
    measure = "" if agreement.kappa is None else f"; {agreement.measure_name} {agreement.kappa:.2f}"
    yield (
        f"  {counted(agreement.labellers, 'labeller')}, policy {manifest.labellers.policy}: {counted(agreement.rows, 'row')}, "
        f"{agreement.shared:,} with several labellers, who agree on {agreement.equal:,}{measure}"
    )
    if agreement.undecided:
        yield f"  {counted(agreement.undecided, 'row')} left out: the policy does not decide the label"


def _served_lines(manifest: TrainingManifest) -> Iterator[str]:
    served = manifest.served
    if served is None:
        return
    labelled = served.answers - served.unlabelled
    yield (
        f"  {labelled:,} of {counted(served.answers, 'answer')} in the served log {_have(labelled)} a label; "
        f"{served.unlabelled:,} {_have(served.unlabelled)} none"
    )
    if served.repeated:
        yield f"  {counted(served.repeated, 'answer')} left out: the request was repeated, and its newest answer counts"
    if served.unserved:
        shown = [one_line(text) for text in served.first_unserved[:MAX_SHOWN]]
        hidden = served.unserved_answers - len(shown)
        more = [f"{hidden:,} more"] if hidden > 0 else []
        labels = f"{counted(served.unserved, 'label')} {_have(served.unserved)}"
        yield f"  {labels} no answer: {', '.join([*shown, *more])}"
    if served.first_other_time is not None:
        keys = "has the keys" if served.other_time == 1 else "have the keys"
        yield (
            f"  {served.other_time:,} of these {keys} of an answer at another time: {one_line(served.first_other_time)}; "
            "times must be equal to the microsecond"
        )
    for answers in served.others:
        by = f"another definition ({answers.release}, {answers.definition[:DIGEST_CHARACTERS]})"
        use = (
            f"left out: they lack {', '.join(answers.lacking)}"
            if answers.lacking
            else "used with the features of the definition now"
        )
        yield f"  {counted(answers.answers, 'answer')} of {by} {use}"
    if served.different:
        yield (
            f"  warning: {counted(served.different, 'cell')} {'is' if served.different == 1 else 'are'} not what was served; "
            f"run: featurestore replay {manifest.service}"
        )


def _have(number: int) -> str:
    return "has" if number == 1 else "have"
