"""The README's shop, its sum changed to one of the last two orders: each command that could serve another value than was trained stops."""

from pathlib import Path

import polars as pl
import pytest
from snippets import snippets

import featurestore
from featurestore.errors import SkewError
from featurestore.project import init

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("quickstart.md", "how-to/get-a-training-set.md")
# The training row of this order knows both orders of ada before it, which are worth 32.0; the last two are worth 12.0.
LATER = "5,ada,2026-01-06T12:00:00Z,2026-01-06T12:01:00Z,0\n"
LAST_TWO = 12.0


@pytest.fixture
def root(tmp_path):
    """The quickstart's shop and its training set, built, materialized and released."""
    init(tmp_path)
    for page in PAGES:
        for snippet in snippets((DOCS / page).read_text()):
            if snippet.path:
                (tmp_path / snippet.path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / snippet.path).write_text(snippet.text)
    orders = tmp_path / "data/raw/orders.csv"
    orders.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "orders.csv").rename(orders)
    orders.write_text(f"{orders.read_text()}{LATER}")
    shop = featurestore.open(tmp_path)
    shop.validate("orders")
    shop.build("customer_spending")
    shop.materialize()
    shop.training_set("visits")
    shop.release()
    assert served(shop) == 32.0
    return tmp_path


def served(shop):
    return shop.get_online([{"customer": "ada"}], "buying")["total_spent"].item()


def changed(root):
    path = root / "feature_repo/orders.py"
    text = path.read_text()
    total = 'windows.sum("amount", over="lifetime")'
    assert total in text
    path.write_text(text.replace(total, 'windows.sum("amount", events=2)'))
    return featurestore.open(root)


def refusal(verb):
    with pytest.raises(SkewError) as caught:
        verb()
    assert caught.value.exit_code == 5
    return caught.value


def test_the_changed_view_is_refused_until_it_is_built(root):
    """Nothing was built: audit, release, materialize and lookups name the view and the command."""
    shop = changed(root)
    verbs = (shop.audit, shop.release, shop.plan_release, shop.materialize, lambda: served(shop))
    for verb in verbs:
        error = refusal(verb)
        assert error.definition in {"customer_spending", "visits"}
        assert any("customer_spending" in command for command in error.commands)
    assert served(featurestore.open(root / "data/releases/current")) == 32.0


def test_the_kept_training_set_is_refused_until_it_is_joined_again(root):
    """The store has another value, and the model was trained on 32.0: audit and release stop; 32.0 stays served."""
    shop = changed(root)
    shop.build("customer_spending")
    shop.materialize()
    assert served(shop) == LAST_TWO
    assert pl.read_parquet(shop.layout.training("visits"))["total_spent"].max() == 32.0
    for verb in (shop.audit, shop.release):
        error = refusal(verb)
        assert error.definition == "visits"
        assert [difference.name for difference in error.differences] == ["window total_spent: events"]
    assert shop.active_release() == "0001"
    assert served(featurestore.open(root / "data/releases/current")) == 32.0
    shop.training_set("visits")
    shop.audit().require_parity()
    assert shop.release().name == "0002"
    assert served(featurestore.open(root / "data/releases/current")) == LAST_TWO
