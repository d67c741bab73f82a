"""What users declare about the people or programs that label: ``labelled_by("labeller", policy="majority")``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec

from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.arguments import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Policy: TypeAlias = Literal["latest", "first", "majority", "unanimous", "priority"]
POLICIES: Final = get_args(Policy)
# Policies that need the time of each label.
_BY_TIME: Final = ("latest", "first")
_EXAMPLE: Final = 'example: labellers=labelled_by("labeller", policy="majority")'


class Labellers(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which label of a row counts, if several labellers gave one.

    Attributes
    ----------
    column
        The column that names who gave a label.
    policy
        ``latest`` or ``first`` label; ``majority`` of the labellers; ``unanimous``: rows on which labellers disagree are
        left out; ``priority``: the label of the labeller that comes first in `order`.
    order
        The labellers, the one that counts most first. Empty without ``priority``.
    """

    column: str
    policy: Policy
    order: tuple[str, ...] = ()


def labelled_by(column: str, *, policy: Policy, order: Sequence[str] = ()) -> Labellers:
    """Declare that several labellers label a row, and which label counts.

    Parameters
    ----------
    column
        The column that names who gave a label.
    policy
        ``latest``, ``first``, ``majority``, ``unanimous`` or ``priority``. A row whose label the policy does not
        decide, such as a tie, is left out and counted.
    order
        The labellers of ``priority``, the one that counts most first.

    Raises
    ------
    DefinitionError
        If `column` is not a name, `order` is missing for ``priority``, is given for another policy, or holds no names.
    UnknownNameError
        If there is no such policy.
    """
    if not isinstance(column, str) or not column:
        raise DefinitionError(f"labelled_by: column is {column!r}; expected a name", hint=_EXAMPLE)
    if policy not in POLICIES:
        raise UnknownNameError("policy", str(policy), POLICIES, within="labelled_by")
    is_given = not isinstance(order, tuple | list) or len(order) > 0
    if is_given != (policy == "priority"):
        raise DefinitionError(
            f"labelled_by: order is {order!r} for policy {policy!r}; expected "
            f"{'no order' if is_given else 'the labellers, the one that counts most first'}",
            hint='example: labelled_by("labeller", policy="priority", order=("expert", "crowd"))',
        )
    example = 'order=("expert", "crowd")'
    names = names_of("labelled_by: order", order, what="labellers", example=example) if is_given else ()
    return Labellers(column, policy, names)


def labellers_of(
    where: str,
    labellers: object,
    *,
    label: str,
    nullable: Mapping[str, bool],
    taken: Sequence[str],
    known: Sequence[str],
) -> Labellers | None:
    """Read the labellers of a training set; None: none are declared.

    Parameters
    ----------
    where
        The training set, for messages.
    nullable
        For each column of the schema, whether a value may be missing.
    taken
        Keys, request values and the timestamp, which cannot name a labeller.
    known
        The columns that say when a label is known.

    Raises
    ------
    UnknownNameError
        If the schema lacks the column of the labellers.
    DefinitionError
        If `labellers` is not made by `labelled_by`; its column is the label, a key, a request value or a timestamp; it or
        the label is nullable; or the policy needs the time of each label, and no column holds it.
    """
    if labellers is None:
        return None
    if not isinstance(labellers, Labellers):
        raise DefinitionError(
            f"{where}: labellers is {labellers!r}; expected labelled_by(...)", hint=_EXAMPLE
        )
    column = labellers.column
    if column not in nullable:
        raise UnknownNameError("column", column, nullable, within=f"the schema of {where}")
    if column in (label, *taken, *known):
        raise DefinitionError(
            f"{where}: labellers names {column!r}, which is the label, a key, a request value or a timestamp",
            hint="name the column that says who gave a label",
        )
    for name in (column, label):
        if nullable[name]:
            raise DefinitionError(
                f"{where}: {name!r} is nullable, but each row is a label and names its labeller",
                hint="remove nullable=True, and leave rows without a label out in the function",
            )
    if labellers.policy in _BY_TIME and set(known) <= {EVENT_TIMESTAMP}:
        raise DefinitionError(
            f"{where}: policy {labellers.policy!r} needs the time of each label, and no column holds it",
            hint='name the column: matures="labelled_at"',
        )
    return labellers
