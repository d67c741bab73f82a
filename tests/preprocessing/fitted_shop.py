"""The shop (tests/shop.py) whose service has steps that are fitted to the rows of train."""

import shutil
from functools import cache
from pathlib import Path

import featurestore

SERVICE = 'buying = feature_service("buying", (last_order, compared), owner="shop")'
STEPS = """
    preprocessing.impute("mean", columns=["amount", "ratio"], indicator=True),
    preprocessing.scale("standard", columns=["amount", "ratio"]),
    preprocessing.impute("constant", columns="coupon", fill_value="none"),
    preprocessing.one_hot("coupon"),
"""
MORE = '''

@training_set(service=buying, label="bought", owner="shop")
def more(orders: Frame[RawOrders]) -> Frame[MoreVisits]:
    """The same visits."""
    return visits.function(orders)
'''
ROW = {"customer": 1, "basket": 16.0}


def with_steps(root: Path, steps: str = STEPS) -> Path:
    """Declare steps in the definitions of a shop."""
    path = root / "feature_repo/shop.py"
    text = path.read_text().replace(SERVICE, f"{SERVICE[:-1]}, steps=[{steps}])")
    path.write_text(
        text.replace("from featurestore import (\n", "from featurestore import (\n    preprocessing,\n")
    )
    return root


def with_another_training_set(root: Path) -> Path:
    """Declare a second training set of the service, of the same rows."""
    schemas, path = root / "schemas/shop.py", root / "feature_repo/shop.py"
    schemas.write_text(f"{schemas.read_text()}\n\nclass MoreVisits(Visits):\n    pass\n")
    text = path.read_text().replace("RawOrders, Visits", "RawOrders, Visits, MoreVisits")
    path.write_text(text + MORE)
    return root


def fitted_shop(template: Path, folder: Path, steps: str = STEPS) -> featurestore.Project:
    """Copy a shop whose steps are declared and fitted, and whose view is materialized."""
    return featurestore.open(shutil.copytree(_fitted(template, steps), folder / "shop"))


@cache
def _fitted(template: Path, steps: str) -> Path:
    """Fit a shop once in each process."""
    root = template.parent / f"fitted{_fitted.cache_info().misses}"
    project = featurestore.open(with_steps(shutil.copytree(template, root), steps))
    project.training_set("visits")
    project.materialize()
    return root
