"""The shop (tests/shop.py), materialized and served."""

import pytest
from servers import PostgresServer, RedisServer, run_server
from serving import running
from shop import move_store

import featurestore

STORES = {"redis": RedisServer, "postgres": PostgresServer}


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


@pytest.fixture(params=["redis", "postgres"])
def remote(request, shop):
    """The shop with its online store on a server, and that server."""
    with run_server(STORES[request.param]) as server:
        move_store(shop.settings.root, request.param, server.url)
        project = featurestore.open(shop.settings.root)
        project.materialize()
        yield project, server
