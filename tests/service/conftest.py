"""The shop, served."""

import pytest
from serving import running


@pytest.fixture
def client(shop):
    """The shop, materialized and served."""
    shop.materialize()
    with running(shop.settings.root) as found:
        yield found
