"""Names for adopted definitions: Python accepts each, and no two are the same."""

from __future__ import annotations

import builtins
import keyword
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featurestore.operations.adopt.plan import AdoptPlan

# Names that the written modules import or define.
_TAKEN: Final = frozenset({
    "pl", "pa", "timedelta", "source", "feature_view", "feature_service", "on_demand_feature_view", "Entity",
    "Frame", "Timestamp", "Annotated", "rows",
})  # fmt: skip


def name_all(plan: AdoptPlan) -> None:
    """Give each definition a name that Python accepts and no other definition has."""
    inventory = plan.inventory
    taken = set(_TAKEN)
    kinds: list[tuple[str, Iterable[str]]] = [
        ("view", (view.name for view in inventory.views)),
        ("on-demand view", (view.name for view in inventory.on_demand)),
        ("service", (service.name for service in inventory.services)),
        ("source", dict.fromkeys(v.source.name for v in inventory.views if v.source is not None)),
        ("entity", (entity.name for entity in inventory.entities)),
    ]
    for kind, names in kinds:
        for name in names:
            # Feast names a source without a name by its path.
            last = re.sub(r"\.\w+$", "", name.rstrip("/").rpartition("/")[2]) if kind == "source" else name
            cleaned = re.sub(r"\W", "_", last).strip("_") or kind.replace("-", "_")
            wanted = cleaned if cleaned[0].isidentifier() else f"_{cleaned}"
            if keyword.iskeyword(wanted) or wanted in taken or hasattr(builtins, wanted):
                wanted = f"{wanted}_{kind.replace(' ', '_').replace('-', '_')}"
            number = 2
            unique = wanted
            while unique in taken:
                unique, number = f"{wanted}_{number}", number + 1
            taken.add(unique)
            plan.names[kind, name] = unique
            if unique != name and kind not in ("source", "entity"):
                plan.note(
                    "changed", f"{kind} {name}", f"its name is {unique!r} here: a function has that name"
                )
