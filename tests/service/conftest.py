"""The shop, served."""

import pytest
from serving import running


@pytest.fixture
def client(shop):
    """The shop, materialized and served."""
    shop.materialize()
    with running(shop.settings.root) as found:
        yield found


@pytest.fixture(autouse=True)
def _one_process(monkeypatch):
    """Feast's server, once imported, says to prometheus_client that there are several."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
