"""The training sets of the reference project have every text that a data card needs from a person."""

from pathlib import Path

import pytest

import featurestore
from featurestore.operations.card.card import missing_texts
from featurestore.operations.training_set.build_record import upstream


@pytest.mark.parametrize("name", ["departures", "late_departures"])
def test_no_text_is_empty(name):
    """`featurestore card` refuses an empty one."""
    workspace = featurestore.open(Path(__file__).parents[2])._workspace
    training = workspace.catalog.training_set(name)
    sources, _ = upstream(workspace, training)

    assert list(missing_texts(training, sources)) == []
