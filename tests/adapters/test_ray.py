"""A real local Ray cluster of two workers gives the local result, also when a worker dies."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples

import featurestore
from featurestore.adapters.polars import PolarsEngine, SpanJoin, answer
from featurestore.errors import StoreError
from featurestore.ports import ViewRows
from featurestore.testing.engines import require_fold, require_windows
from featurestore.testing.strategies import FEATURES, History, histories
from featurestore.testing.window_histories import window_histories
from featurestore.timing.known_at import Timing

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'featurestore[ray]'")
from featurestore.adapters.ray import RayEngine  # noqa: E402 - only where Ray is installed

# Ray warns about itself as it starts and stops.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@given(history=histories(max_rows=20), cuts=st.lists(st.integers(0, 20), max_size=2))
@settings(examples(6), suppress_health_check=[HealthCheck.too_slow])
def test_the_ray_engine_is_the_fold(history, cuts):
    """Each row group is a task of its own, in every file."""
    with tempfile.TemporaryDirectory() as folder:
        require_fold(RayEngine(span_bytes=1), history, Path(folder), cuts=cuts)


@given(history=window_histories(max_events=20), cuts=st.lists(st.integers(0, 20), max_size=2))
@settings(examples(6), suppress_health_check=[HealthCheck.too_slow])
def test_windows_of_the_ray_engine_are_those_of_the_oracle(history, cuts):
    """Each key is a task of its own."""
    with tempfile.TemporaryDirectory() as folder:
        require_windows(RayEngine(span_bytes=1), history, Path(folder), cuts=cuts)


ROWS = [
    {"k": key, "n": 0, "event_timestamp": datetime(2024, 1, day, tzinfo=UTC), "x": day, "s": None}
    for key in "abc"
    for day in (1, 2, 3, 4)
]
HISTORY = History(
    Timing(), ROWS, [{name: row[name] for name in ("k", "n", "event_timestamp")} for row in ROWS]
)


@pytest.fixture
def view(tmp_path):
    """Twelve rows of three keys, in six row groups."""
    path = tmp_path / "rows.parquet"
    HISTORY.row_frame.write_parquet(path, row_group_size=2)
    return ViewRows(HISTORY.view[FEATURES], (path,))


def test_a_dead_worker_changes_nothing(view, tmp_path):
    """Its span is answered by another worker."""

    def dies_once(entities: pl.DataFrame, work: SpanJoin) -> pl.DataFrame:
        marker = tmp_path / "died"
        if work.span.start == 4 and not marker.exists():
            marker.touch()
            os._exit(1)
        return answer(entities, work)

    joined = RayEngine(span_bytes=1, answer=dies_once).historical(HISTORY.entity_frame, [view])
    assert (tmp_path / "died").exists()
    assert joined.equals(PolarsEngine().historical(HISTORY.entity_frame, [view]))
    assert joined["x"].to_list() == [1, 2, 3, 4] * 3


@pytest.mark.parametrize(
    ("error", "message"),
    [(StoreError("rows.parquet: gone"), "^rows.parquet: gone"), (KeyError("k"), "a task fails: 'k'")],
)
def test_an_error_of_a_task_is_ours(view, error, message):
    """What is raised on a worker is raised here, and a foreign error is translated."""

    def fails(entities: pl.DataFrame, work: SpanJoin) -> pl.DataFrame:
        raise error

    with pytest.raises(StoreError, match=message):
        RayEngine(answer=fails).historical(HISTORY.entity_frame, [view])


def test_a_project_moves_to_ray_by_one_setting(shop):
    """The same definitions, the same values."""
    settings = shop.settings.root / "pyproject.toml"
    settings.write_text(settings.read_text() + 'engine = "ray"\nmemory = 64\n')
    moved = featurestore.open(shop.settings.root)
    rows = pl.DataFrame({"customer": [1, 3, 9], "event_timestamp": [datetime(2024, 1, 9, tzinfo=UTC)] * 3})
    assert moved.historical(rows, ["last_order"]).equals(shop.historical(rows, ["last_order"]))
    assert moved.settings.engine == "ray"


def test_a_view_declared_by_key_is_built_in_parts(shop_files):
    """The file is the local one, byte for byte."""
    definitions = shop_files / "feature_repo/shop.py"
    definitions.write_text(
        definitions.read_text().replace("entity=customer, owner", "entity=customer, by_key=True, owner")
    )
    local = featurestore.open(shop_files)
    local.validate("orders")
    local.build("last_order")
    built = local.layout.features("last_order").read_bytes()
    with (shop_files / "pyproject.toml").open("a") as settings:
        settings.write('engine = "ray"\n')
    local.layout.features("last_order").unlink()
    featurestore.open(shop_files).build("last_order")
    assert local.layout.features("last_order").read_bytes() == built
