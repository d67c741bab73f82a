"""A deleted entity is not served, and an older row does not bring it back."""

from datetime import UTC, datetime

import polars as pl
import pytest
from runner import run

from featurestore.errors import ContractError, MissingDataError

KEY = pl.DataFrame({"customer": [3]})


def amounts(shop):
    served = shop.get_online([{"customer": 3}, {"customer": 1}], ["last_order:amount"], statuses=True)
    return served.select("amount", "amount__status").rows()


def test_it_stays_deleted(shop):
    """A deleted key stays deleted when the view is materialized in full; other keys stay."""
    shop.materialize()
    assert amounts(shop) == [(8.0, 1), (None, 2)]
    assert shop.delete("last_order", KEY) == 1
    assert shop.delete("last_order", KEY) == 0
    for again in (False, True):
        shop.materialize(full=again)
        assert amounts(shop) == [(None, 3), (None, 2)]
    assert shop.audit().mismatches == 0


def test_a_later_event_brings_it_back(shop):
    """A row of a later event brings a deleted key back."""
    shop.materialize(until="2024-01-09T00:00:00Z")
    shop.delete("last_order", KEY)
    event = datetime(2024, 1, 10, 1, tzinfo=UTC)
    later = {
        **KEY.to_dict(as_series=False),
        "event_timestamp": [event],
        "amount": [5.0],
        "coupon": [None],
        "ordered_at": [event],
    }
    object.__setattr__(shop.settings, "as_of", datetime(2024, 1, 11, tzinfo=UTC))
    shop.push("last_order", pl.DataFrame(later))
    assert amounts(shop)[0] == (5.0, 1)


def test_what_cannot_be_deleted(shop):
    """A view that is not materialized and a key of another type are errors."""
    with pytest.raises(MissingDataError, match="run: featurestore materialize"):
        shop.delete("last_order", KEY)
    shop.materialize()
    with pytest.raises(ContractError, match="'customer' is String, expected Int64"):
        shop.delete("last_order", pl.DataFrame({"customer": ["3"]}))


def test_rows_for_a_view_name_the_view(shop):
    """A request that names views has no service: a message that names one is about nothing that the user knows."""
    shop.materialize()
    none = pl.DataFrame({"other": [1]})
    with pytest.raises(ContractError, match="rows for view 'last_order': lack 'customer'"):
        shop.delete("last_order", none)
    with pytest.raises(ContractError, match="rows for view 'last_order': lack 'customer', 'event_timestamp'"):
        shop.historical(none, ["last_order:amount"])
    with pytest.raises(ContractError, match="rows for view 'last_order': lack 'customer'"):
        shop.get_online(none, ["last_order"])
    with pytest.raises(ContractError, match="rows for service 'buying': lack 'customer'"):
        shop.get_online(none, "buying")
    done = run("delete", "last_order", cwd=shop.settings.root)
    assert "rows for view 'last_order': lack 'customer'" in done.stderr
