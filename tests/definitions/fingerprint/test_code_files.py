"""The files for ``dvc.yaml``: the same closure as the fingerprint, and what declares the definition."""

import pytest
from grown_shop import EVERY, FILES, replaced

ORDERS = "feature_repo/orders.py"
INITS = ["feature_repo/__init__.py", "schemas/__init__.py"]


@pytest.mark.parametrize("name", EVERY)
def test_every_part_with_a_file_is_among_the_files(state, name):
    """``dvc repro`` reruns a stage whenever a part of its fingerprint changes in a file."""
    shop = state()
    places = {part.where for part in shop.fingerprint(name).parts if part.where}
    assert places <= set(shop.code_files(name))


def test_helpers_and_packages_count_and_other_modules_do_not(state):
    """A relative import, a module outside the two packages, and ``__init__.py`` count; code that is not read does not."""
    shop = state({"feature_repo/other.py": "X = 1\n"})
    assert "feature_repo/other.py" not in shop.code_files("orders")
    assert {"feature_repo/helper.py", "lib/rates.py", *INITS} <= set(shop.code_files("orders"))


def test_a_copy_of_featurestore_in_the_project_does_not_count(state):
    """A checkout of featurestore holds the package beside the definitions; what runs is the installed one."""
    copied = {
        "featurestore/__init__.py": "from featurestore.copied import X\n",
        "featurestore/copied.py": "X = 1\n",
    }
    assert not [name for name in state(copied).code_files("orders") if name.startswith("featurestore")]


@pytest.mark.parametrize("folder", ["typing", "typing/inner", "polars", "msgspec"])
def test_a_folder_with_the_name_of_an_installed_module_does_not_count(state, folder):
    """Python passes by a folder without ``__init__.py`` if the library or a package has a module of its name."""
    helper = FILES["feature_repo/helper.py"]
    helper = helper.replace(
        "import polars as pl\n", "from typing import Optional\n\nimport msgspec\nimport polars as pl\n"
    )
    helper = helper.replace("(value: pl.Expr)", "(value: pl.Expr, kind=(Optional, msgspec.UNSET))")
    before = state({"feature_repo/helper.py": helper})
    after = state({"feature_repo/helper.py": helper, f"{folder}/notes.py": "X = 1\n"})
    for name in ("raw_orders", "orders", "customer_spending"):
        assert after.code_files(name) == before.code_files(name)
        assert after.fingerprint(name) == before.fingerprint(name)


def test_a_folder_of_the_project_without_init_counts(state):
    """No installed module has its name, so Python takes it."""
    helper = FILES["feature_repo/helper.py"].replace("from lib.rates", "from lib_of_rates.rates")
    shop = state({"feature_repo/helper.py": helper, "lib_of_rates/rates.py": FILES["lib/rates.py"]})
    assert "lib_of_rates/rates.py" in shop.code_files("orders")


def test_files_behind_a_schema_count(state):
    """A constant that a schema imports decides its checks."""
    assert "schemas/terms.py" in state().code_files("raw_orders")


def test_files_behind_a_declaration_count(state):
    """A path, a duration or null values may come from another module."""
    text = FILES[ORDERS].replace('"data/raw/orders.csv"', "PATH").replace("minutes=1", "minutes=DELAY")
    text = text.replace(
        "from . import helper",
        "from . import helper\nfrom lib.places import PATH\nfrom lib.times import DELAY",
    )
    text = text.replace("raw_orders = source", "declared = source")
    files = {ORDERS: text, "lib/places.py": "PATH = 'data/raw/orders.csv'\n", "lib/times.py": "DELAY = 1\n"}
    shop = state(files)
    assert "lib/places.py" in shop.code_files("raw_orders")
    assert "lib/times.py" in shop.code_files("customer_spending")


def test_the_base_of_a_schema_counts(state):
    """Columns of a base class are columns of the schema."""
    changes = replaced(
        "schemas/orders.py", "class Visits(Basket):", "from schemas.base import Base\n\n\nclass Visits(Base):"
    )
    changes["schemas/base.py"] = (
        "import pandera.polars as pa\nimport polars as pl\n\n\nclass Base(pa.DataFrameModel):\n"
        '    basket: pl.Float64 = pa.Field(ge=0, description="worth")\n'
    )
    assert "schemas/base.py" in state(changes).code_files("visits")
