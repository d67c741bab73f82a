"""The shop (tests/shop.py), materialized and served."""

import pytest
from serving import running


@pytest.fixture
def stored(shop):
    """The shop, materialized."""
    shop.materialize()
    return shop


@pytest.fixture
def client(stored):
    """A client of a server of the shop."""
    with running(stored.settings.root) as client:
        yield client
