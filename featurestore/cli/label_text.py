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
    measure = "" if agreement.kappa is None else f"; {agreement.measure}'s kappa {agreement.kappa:.2f}"
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
    verb = "has" if labelled == 1 else "have"
    yield (
        f"  {labelled:,} of {counted(served.answers, 'answer')} in the served log {verb} a label; {served.unlabelled:,} "
        f"{'has' if served.unlabelled == 1 else 'have'} none"
    )
    if served.repeated:
        yield f"  {counted(served.repeated, 'answer')} left out: the request was repeated, and its newest answer counts"
    if served.unserved:
        shown = [one_line(text) for text in served.first_unserved[:MAX_SHOWN]]
        more = [f"{served.unserved - len(shown):,} more"] if served.unserved > len(shown) else []
        has = "has" if served.unserved == 1 else "have"
        yield f"  {counted(served.unserved, 'label')} {has} no answer: {', '.join([*shown, *more])}"
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
