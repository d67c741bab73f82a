"""A Feast repository becomes a project here, and each cell that differs is explained."""

import hashlib
from datetime import timedelta
from pathlib import Path

import feast_repos
import polars as pl
import pytest
from runner import run

import featurestore
from featurestore.adapters.feast.original import FeastOriginal
from featurestore.adapters.feast.repository import FeastRepository, quiet
from featurestore.errors import ConfigError, DefinitionError, UnknownNameError
from featurestore.operations.adopt.adopt import plan_adopt
from featurestore.operations.adopt.compare import compare_historical, compare_on_demand, compare_online
from featurestore.operations.adopt.pandas_code import translated
from featurestore.project import adopt


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    """Adopt a repository of each shape once."""
    folder = tmp_path_factory.mktemp("feast")
    results = {}

    def adopted_shape(name, **backfills):
        key = (name, *backfills.items())
        if key not in results:
            repo = getattr(feast_repos, name)(folder / f"{name}{len(results)}")
            results[key] = adopt(repo, write=True, version_data=False, backfills=backfills)
        return results[key]

    return adopted_shape


def notes(result, kind):
    """Return the names of the notes of a kind."""
    return {note.name for note in result.notes if note.kind == kind}


def reasons(result, side):
    """Return the reasons for which cells differ."""
    return {d.reason for c in result.comparisons if c.side == side for d in c.differences}


def digest(folder):
    """Return a digest of all files of a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files
    ]


@pytest.mark.parametrize("shape", feast_repos.SHAPES, ids=lambda shape: shape.__name__)
def test_each_shape_is_adopted_built_and_compared(adopted, shape):
    """Cells are compared, none differs for an unknown reason, and the project checks."""
    result = adopted(shape.__name__)
    assert result.unexplained == 0
    assert sum(comparison.same for comparison in result.comparisons) > 0
    assert featurestore.open(result.target).check() > 0
    assert featurestore.open(result.target).quality.verdicts()


def test_a_view_whose_schema_feast_infers_has_the_columns_of_the_file(adopted):
    """Without declared fields, all columns but keys and times are features; no cell differs offline."""
    result = adopted("plain")
    view = featurestore.open(result.target).catalog.view("stats")
    assert dict(view.feature_schema) == {"trips": pl.Int64(), "rate": pl.Float64()}
    assert view.timing.ttl == timedelta(days=1)
    assert reasons(result, "historical") == set()
    assert reasons(result, "online") == {"expired"}


def test_a_late_created_timestamp_is_named_and_explains_what_feast_shows_early(adopted):
    """Feast shows a row before it was written; the float of the file is rounded to the declared width."""
    result = adopted("credit")
    assert notes(result, "trap") == {"view zipcode_features"}
    assert reasons(result, "historical") == {"known_later", "rounded"}
    project = featurestore.open(result.target)
    assert project.catalog.service("scoring").feature_names == ("city", "population", "missed")
    assert project.catalog.view("credit_history").contract["due"].unit == "USD"
    assert project.catalog.view("zipcode_features").owner == "risk"
    assert project.catalog.view("credit_history").tags == {"team": "risk"}
    assert {"tags of service scoring", "burden in service scoring", "on-demand view burden"} <= notes(
        result, "left_out"
    )
    stub = (Path(result.target) / "feature_repo/on_demand.py").read_text()
    assert '#     out["ratio"] = (inputs["due"] + inputs["amount"]).clip(lower=0.0)\n' in stub


def test_the_trap_of_a_backfill_is_named_with_its_remedy(adopted):
    """Every created timestamp is later than every event: all is null here until the backfill is declared."""
    result = adopted("backfilled")
    [trap] = [note for note in result.notes if note.kind == "trap"]
    assert trap.name == "view stats"
    assert "--backfill stats=DELAY" in trap.remedy
    assert reasons(result, "historical") == {"known_later"}


def test_a_declared_backfill_gives_the_values_of_feast(adopted):
    """The rows are known at their event; of two versions of an event the later one answers, which Feast may miss."""
    result = adopted("backfilled", stats=timedelta(0))
    assert notes(result, "trap") == set()
    assert reasons(result, "historical") <= {"older_version"}
    rows = pl.DataFrame({"driver_id": [1, 1, 2], "event_timestamp": feast_repos.hours(0, 1, 2)})
    project = featurestore.open(result.target)
    assert project.historical(rows, ["stats"])["trips"].to_list() == [1, 3, 4]


def test_a_delay_after_a_backfill_hides_rows_until_they_are_known(adopted):
    """A row of one o'clock with a delay of an hour answers from two o'clock."""
    project = featurestore.open(adopted("backfilled", stats=timedelta(hours=1)).target)
    rows = pl.DataFrame({"driver_id": [2, 2], "event_timestamp": feast_repos.hours(1.9, 2)})
    assert project.historical(rows, ["stats"])["trips"].to_list() == [None, 4]


def test_types_of_feast_have_their_dtypes_here(adopted):
    """Lists, booleans, timestamps without a zone and categories; two entities are one with two keys."""
    view = featurestore.open(adopted("embeddings").target).catalog.view("user_item")
    assert view.keys == ("user_id", "item_id")
    assert dict(view.feature_schema) == {
        "vector": pl.List(pl.Float32),
        "liked": pl.Boolean(),
        "seen": pl.Datetime("us", "UTC"),
        "genre": pl.String(),
    }


def test_names_and_join_keys_of_projections_are_kept(adopted):
    """A view that is read twice has two prefixes and two request columns."""
    service = featurestore.open(adopted("aliases").target).catalog.service("trip")
    assert service.feature_names == ("origin_degrees", "destination_degrees")
    assert list(service.key_schema) == ["origin_id", "destination_id"]


def test_equal_names_in_a_service_get_the_name_of_the_view_in_front(adopted):
    """Feast tells features of two views apart by a prefix, and so does the written service."""
    result = adopted("streams")
    service = featurestore.open(result.target).catalog.service("both")
    assert service.feature_names == ("stats_trips", "live_trips")
    assert notes(result, "left_out") == {"KafkaSource of view live"}
    assert notes(result, "changed") == {"push source of view stats", "service both"}


def test_what_a_service_cannot_hold_is_left_out_of_it_with_the_reason(adopted):
    """Names and keys that clash would make the project fail; the rest of the service stays."""
    result = adopted("clashes")
    catalog = featurestore.open(result.target).catalog
    assert catalog.service("computed").feature_names == ("more",)
    assert catalog.service("keys").feature_names == ("stats_trips",)
    assert notes(result, "left_out") == {
        "on-demand view twice", "again in service computed", "other in service keys", "twice in service computed",
    }  # fmt: skip


def test_what_cannot_be_read_is_left_out_by_name(adopted):
    """A table, a Delta table, a bucket and a missing file have reasons of their own; the rest is adopted."""
    result = adopted("warehouse")
    left_out = {note.name: note.reason for note in result.notes if note.kind == "left_out"}
    assert "BigQuerySource" in left_out["view table"]
    assert "Delta table" in left_out["view delta"]
    assert "s3://bucket/x.parquet" in left_out["view bucket"]
    assert "missing.parquet" in left_out["view missing"]
    assert {"service none", "table in service some"} < set(left_out)
    project = featurestore.open(result.target)
    assert set(project.catalog.views) == {"stats", "text"}
    assert project.catalog.service("some").feature_names == ("trips",)
    assert [c.view for c in result.comparisons if c.failure] == ["text", "text"]


def test_kinds_of_views_have_their_place_or_their_reason(adopted):
    """A plain BatchFeatureView, a LabelView and a view without an entity are views here; a function is a reason."""
    result = adopted("kinds")
    assert set(featurestore.open(result.target).catalog.views) == {"batch", "labels", "stats", "world"}
    assert notes(result, "left_out") == {"view computed"}
    assert "view labels" in notes(result, "changed")


def test_untidy_data_are_adopted_with_what_is_wrong_in_the_notes(adopted):
    """NaN is null, a row without a key and two values at one time are in quarantine, a wrong type is the file's."""
    result = adopted("untidy")
    project = featurestore.open(result.target)
    view = project.catalog.view("class_view")
    assert dict(view.feature_schema) == {
        "7d count": pl.Int64(), "rate": pl.Float32(), "share": pl.Float64(), "note": pl.String(),
    }  # fmt: skip
    assert view.key_schema == {"driver_id": pl.Int64()}
    assert project.quality.verdict("class_view").decision == "quarantined"
    assert project.dataset("class_view").collect()["7d count"].to_list() == [1, None, 6]
    assert reasons(result, "historical") == {"rounded", "quarantined"}
    assert {"feature class:share", "feature class:note", "view class", "service pl"} == notes(
        result, "changed"
    )


def test_modules_in_folders_and_files_in_folders_are_read(adopted):
    """Modules import each other, .feastignore counts, and all files of a folder are rows."""
    project = featurestore.open(adopted("packages").target)
    assert project.dataset("stats").collect().height == 6
    assert project.catalog.service("rating").owner == "fleet"


def test_arithmetic_of_pandas_is_translated_and_proven_on_the_same_inputs(adopted):
    """The translated view computes what Feast does; a function in Python is a stub."""
    result = adopted("python_mode")
    [proof] = [comparison for comparison in result.comparisons if comparison.side == "on demand"]
    assert (proof.view, proof.same == proof.cells > 0) == ("total", True)
    assert result.on_demand == (2, 1)
    assert notes(result, "left_out") == {"on-demand view doubled"}


def test_the_registry_is_read_where_no_module_defines_anything(tmp_path):
    """A registry without modules gives the same definitions as the modules that wrote it."""
    repo = feast_repos.credit(tmp_path / "credit")
    from_modules = FeastRepository(repo)
    store = _applied(repo, from_modules)
    (repo / "features.py").unlink()
    from_registry = FeastRepository(repo).inventory()
    assert store
    assert from_registry.read_from == "registry"
    result = adopt(repo, write=True, version_data=False)
    assert result.unexplained == 0
    assert [c.failure for c in result.comparisons if c.failure] == []
    for kind in ("views", "services", "on_demand", "entities"):
        names = [item.name for item in getattr(from_registry, kind)]
        assert names == [item.name for item in getattr(from_modules.inventory(), kind)]


def _applied(repo, repository):
    from feast import FeatureStore  # noqa: PLC0415 - Feast takes seconds to import

    store = FeatureStore(repo_path=str(repo))
    with quiet():
        store.apply(repository.objects)
    return store


def test_the_repository_of_feast_stays_as_it_is(tmp_path):
    """Nothing in the repository changes, and neither the folder nor the modules of the process do."""
    repo = feast_repos.packages(tmp_path / "repo")
    before, here = digest(repo), Path.cwd()
    result = adopt(repo, tmp_path / "new", write=True)
    assert digest(repo) == before
    assert Path.cwd() == here
    assert result.target == str(tmp_path / "new")
    assert str(tmp_path / "new/data/raw/rides.dvc") in result.written
    assert featurestore.open(result.target).unversioned() == ()


def test_without_write_nothing_is_written(tmp_path):
    """The plan has the notes, and no folder appears."""
    repo = feast_repos.backfilled(tmp_path / "repo")
    result = adopt(repo)
    assert (result.written, result.comparisons, [path.name for path in tmp_path.iterdir()]) == (
        (),
        (),
        ["repo"],
    )
    assert notes(result, "trap") == {"view stats"}


def test_a_folder_with_a_project_is_refused(tmp_path):
    """A second run does not overwrite the first one, and Feast's folder is not a target."""
    repo = feast_repos.plain(tmp_path / "repo")
    adopt(repo, write=True, version_data=False)
    before = digest(tmp_path / "repo_adopted")
    with pytest.raises(ConfigError, match="already"):
        adopt(repo, write=True, version_data=False)
    assert digest(tmp_path / "repo_adopted") == before
    with pytest.raises(ConfigError, match="stays as it is"):
        adopt(repo, repo, write=True, version_data=False)


def test_wrong_arguments_say_what_is_expected(tmp_path):
    """A folder without settings, an unknown view, a module that fails, and a wrong delay are errors of the user."""
    repo = feast_repos.plain(tmp_path / "repo")
    with pytest.raises(ConfigError, match="there is no feature_store") as missing:
        adopt(tmp_path)
    assert missing.value.hint.endswith("/repo")
    with pytest.raises(UnknownNameError) as unknown:
        adopt(repo, backfills={"stat": timedelta(0)})
    assert unknown.value.nearest == "stats"
    assert run("adopt", str(repo), "--backfill", "stats=soon").returncode == 7
    (repo / "repo.py").write_text("import a_package_that_does_not_exist\n")
    with pytest.raises(DefinitionError, match="a_package_that_does_not_exist"):
        adopt(repo)


def test_the_command_shows_traps_counts_and_explained_cells(tmp_path):
    """The text names the trap before all else, and the comparison of each view."""
    repo = feast_repos.backfilled(tmp_path / "repo")
    done = run("adopt", str(repo), "--write", "--backfill", "stats=1h")
    assert done.returncode == 0
    assert "repo: 1 of 1 feature views (read from Feast's modules)" in done.stdout
    assert "Feast shows a row before it was known: the future" in done.stdout
    plan = run("adopt", str(repo))
    assert "traps:\n  view stats: 'created' is later than every event" in plan.stdout
    assert "nothing is written" in plan.stdout


def test_a_planted_fault_in_a_view_or_a_translation_has_no_explanation(tmp_path):
    """A view and an on-demand view that compute something else are found, offline, online and on demand."""
    repo = feast_repos.python_mode(tmp_path / "repo")
    target = Path(adopt(repo, write=True, version_data=False).target)
    for file, old, new in (
        ("views.py", '        "trips",\n', '        pl.col("trips") + 1,\n'),
        ("on_demand.py", 'pl.col("rate")', 'pl.col("extra")'),
    ):
        path = target / "feature_repo" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    project = featurestore.open(target)
    project.build("stats")
    project.materialize(full=True)
    repository = FeastRepository(repo)
    plan = plan_adopt(repository.inventory(), backfills={})
    workspace = project._workspace
    with FeastOriginal(repository) as original:
        stats, total = plan.views["stats"], plan.on_demand["total"]
        assert compare_historical(workspace, original, stats).unexplained > 0
        assert compare_online(workspace, original, stats).unexplained == 2
        assert compare_on_demand(workspace, original, total).unexplained > 0


FRAME = "def f(inputs):\n    df = pd.DataFrame()\n{body}\n    return df\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('    df["a"] = inputs["x"] + 2 * inputs["y"]', '(pl.col("x") + (2 * pl.col("y")))'),
        ('    df["a"] = -inputs["x"]', '(-pl.col("x"))'),
        ('    "Docstring."\n    df["a"] = inputs["x"]\n    df["a"] = df["a"] - 1.5', '((pl.col("x")) - 1.5)'),
        ('    df["a"] = inputs["x"] / 3', None),
        ('    df["a"] = inputs["x"].mean()', None),
        ('    df["a"] = inputs["x"] + factor', None),
        ('    if True:\n        df["a"] = inputs["x"]', None),
        ('    df["b"] = inputs["x"]', None),
        ('    df["a"] = df["b"]', None),
        ('    inputs["x"] = 1\n    df["a"] = inputs["x"]', None),
        ('    df["a"] = inputs["x"] + True', None),
    ],
)
def test_only_what_surely_means_the_same_is_translated(body, expected):
    """Sums, differences and products of columns and numbers are; all else is left to a person."""
    result = translated(FRAME.replace("{body}", body), {"a": True})
    assert result == (None if expected is None else {"a": expected})


def test_results_that_are_integers_are_not_translated():
    """pandas and Polars differ in nulls and overflow of integers."""
    assert translated(FRAME.replace("{body}", '    df["a"] = inputs["x"] + 1'), {"a": False}) is None
