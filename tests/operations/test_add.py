"""From a file of one's own to a source that its file passes, with a version."""

import json
import shlex
import subprocess

import polars as pl
import pytest
from runner import run as command

import featurestore
from featurestore.adapters.dvc import DvcVersions
from featurestore.errors import ConfigError, ContractError, DefinitionError, MissingDataError
from featurestore.operations.init.init import init

VISITS = "clinic,visit,day,weight\n" + "".join(
    f"{'ABC'[n % 3]},{n // 3},{n % 28 + 1:02d}.{n % 12 + 1:02d}.2024,{'.' if n % 17 == 0 else 50 + n % 9 / 2}\n"
    for n in range(90)
)
DAY = "order,at,amount\n{n},2024-01-0{n} 10:00:00,4.5\n"


@pytest.fixture
def project(tmp_path):
    """An empty project, in a repository of git and DVC."""
    root = tmp_path / "own"
    init(root)
    DvcVersions().start(root)
    return root


def fresh(root, number=1):
    """Open a project again, under another name, so that its new modules are imported."""
    return featurestore.open(root.rename(root.with_name(f"own{number}")))


def test_a_file_becomes_a_source_that_its_file_passes(project, tmp_path):
    """A file outside of the project is copied, versioned and declared; the command shows its assumptions and its questions."""
    (tmp_path / "visits.csv").write_text(VISITS)
    done = command("add", str(tmp_path / "visits.csv"), "--owner", "clinic", cwd=project)
    assert done.stdout == (
        "source visits: 90 rows of data/raw/visits.csv\n"
        "  wrote schemas/visits.py\n"
        "  wrote feature_repo/visits.py\n"
        "  wrote data/raw/visits.csv.dvc\n"
        "assumed:\n"
        "  a copy is kept in data/raw\n"
        "  the owner is clinic\n"
        "  '.' stands for a missing value in all columns (seen in weight)\n"
        "  day is written as %d.%m.%Y\n"
        "  clinic and visit identify a row together\n"
        "  bad rows go to quarantine, up to 5% of all\n"
        "open, in schemas/visits.py:\n"
        '  weight: which unit? Write "1" for a share or a ratio\n'
        "next: write a feature view that reads visits, then: featurestore run\n"
    )
    assert (
        (project / "feature_repo/visits.py")
        .read_text()
        .endswith(
            'visits = source("visits", RawVisits, "data/raw/visits.csv", owner="clinic", null_values=(".",))\n'
        )
    )
    opened = fresh(project)
    assert (opened.check(), opened.unversioned()) == (1, ())
    assert opened.validate("visits").decision == "passed"
    assert opened.catalog.sources["visits"].contract.key == ("clinic", "visit")
    assert opened.dataset("visits").collect()["weight"].null_count() == 6


@pytest.mark.parametrize("name", ["class", "import"])
def test_a_name_that_python_reserves_becomes_a_module(project, name):
    """A module named "class" could not be imported, and the whole project with it."""
    (project / f"{name}.csv").write_text("size\n1\n2\n")
    added = featurestore.open(project).add(f"{name}.csv")
    assert added.name in fresh(project).catalog.sources


def test_a_folder_of_daily_files_is_one_source(project):
    """DVC versions the folder; adding it again gives the new day a version, and writes no schema."""
    folder = project / "data/raw/orders"
    folder.mkdir(parents=True)
    for n in (1, 2):
        (folder / f"2024-01-0{n}.csv").write_text(DAY.format(n=n))
    added = featurestore.open(project).add("data/raw/orders", owner="shop")
    assert (added.path, added.rows, added.versioned) == ("data/raw/orders/*.csv", 2, ("data/raw/orders.dvc",))
    (folder / "2024-01-03.csv").write_text(DAY.format(n=3))
    opened = fresh(project)
    assert [gap.reason for gap in opened.unversioned()] == ["changed"]
    for target in ("data/raw/orders/*.csv", "data/raw/orders"):
        again = opened.add(target)
        assert (again.name, again.written, again.versioned) == ("orders", (), ("data/raw/orders.dvc",))
    assert opened.unversioned() == ()
    assert opened.validate("orders").rows_in == 3


def test_the_result_of_a_query_is_a_source(project, tmp_path):
    """What DuckDB reads can be added; the query stands above the source."""
    (tmp_path / "visits.json").write_text('{"id": 1, "day": "2024-01-01"}\n{"id": 2, "day": null}\n')
    sql = f"FROM '{tmp_path}/visits.json'"
    with pytest.raises(ConfigError, match="a query has no name"):
        featurestore.open(project).add(sql)
    added = featurestore.open(project).add(sql, name="visits", owner="clinic")
    assert (added.path, added.rows) == ("data/raw/visits.parquet", 2)
    assert f"# {sql}\n" in (project / "feature_repo/visits.py").read_text()
    assert fresh(project).validate("visits").decision == "passed"


def test_words_for_a_missing_value_are_for_csv_files(project, tmp_path):
    """A text of a Parquet file stays text: the question says so, and a source that declares words is refused."""
    pl.DataFrame({"size": ["tall", "short", "."] * 9}).write_parquet(tmp_path / "sizes.parquet")
    added = featurestore.open(project).add(str(tmp_path / "sizes.parquet"), owner="clinic")
    assert "size: does '.' stand for a missing value? Then write null into the file" in added.questions
    path = project / "feature_repo/sizes.py"
    path.write_text(path.read_text().replace('owner="clinic"', 'owner="clinic", null_values=(".",)'))
    with pytest.raises(DefinitionError, match="null_values are for CSV files"):
        fresh(project).check()


def test_what_cannot_be_added_is_named(project, tmp_path):
    """Nothing is written then."""
    opened = featurestore.open(project)
    (project / "input").mkdir()
    for name, text in {
        "semicolons.csv": "a;b\n1;2\n",
        "empty.csv": "a,b\n",
        "page.xlsx": "x",
        "reserved.csv": "source_row\n1\n",
        "input/a_1.csv": "a\n1\n",
        "input/other.csv": "a\n1\n",
        "__init__.csv": "a\n1\n",
    }.items():
        (project / name).write_text(text)
    before = sorted(project.rglob("*"))
    for target, error, message in (
        ("semicolons.csv", ContractError, "separated by ';'.*\n.*delim=';'"),
        ("empty.csv", ContractError, "has no rows"),
        ("page.xlsx", ContractError, "ends in .csv or .parquet"),
        ("reserved.csv", DefinitionError, "the quarantine uses the column name 'source_row'"),
        ("input/a_*.csv", ConfigError, "holds other files too, such as other.csv"),
        ("nowhere.csv", MissingDataError, "no such file"),
        ("nowhere/*.csv", MissingDataError, "no such file"),
    ):
        with pytest.raises(error, match=message):
            opened.add(target)
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_hint_for_another_separator_reads_the_file(project, tmp_path, separator):
    """The command in the hint keeps the owner, and reads decimal commas and days, also from a path with a quote and a space."""
    file = tmp_path / "o'clock temperatures.csv"
    rows = [("patient", "day", "celsius"), *((n, f"{n:02d}.01.2024", f"36,{n}") for n in range(1, 9))]
    file.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows))
    opened = featurestore.open(project)
    with pytest.raises(ContractError, match="expected commas") as caught:
        opened.add(str(file), owner="the clinic")
    arguments = shlex.split(caught.value.hint.removeprefix("run: featurestore "))
    assert arguments[-4:] == ["--name", "o_clock_temperatures", "--owner", "the clinic"]
    assert command(*arguments, cwd=project).returncode == 0
    added = fresh(project).catalog.sources["o_clock_temperatures"]
    assert (added.owner, added.contract["day"].dtype, added.contract["celsius"].dtype) == (
        "the clinic",
        pl.Date(),
        pl.Float64(),
    )


def test_nothing_is_overwritten(project, tmp_path):
    """A name that is taken is refused, and so is a raw file of the same name."""
    (project / "feature_repo/visits.py").write_text("MINE = 1\n")
    (tmp_path / "visits.csv").write_text(VISITS)
    opened = featurestore.open(project)
    with pytest.raises(ConfigError, match=r"visits\.py exists already"):
        opened.add(str(tmp_path / "visits.csv"))
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/visits.csv").write_text("mine")
    with pytest.raises(ConfigError, match=r"data/raw/visits\.csv exists already"):
        opened.add(str(tmp_path / "visits.csv"), name="other")
    assert (project / "data/raw/visits.csv").read_text() == "mine"
    assert not (project / "schemas/other.py").exists()


def test_new_data_of_a_source_are_copied_over_its_file(shop_files, tmp_path_factory):
    """The second file of a name is most likely new data; a file of another format is not."""
    folder = tmp_path_factory.mktemp("new")
    (folder / "orders.csv").write_text((shop_files / "data/raw/orders.csv").read_text())
    pl.DataFrame({"a": [1]}).write_parquet(folder / "orders.parquet")
    shop = featurestore.open(shop_files)
    with pytest.raises(ConfigError, match="'orders' exists already") as refused:
        shop.add(str(folder / "orders.csv"))
    assert f"run: cp {folder}/orders.csv data/raw/orders.csv && featurestore run" in refused.value.hint
    with pytest.raises(ConfigError, match="'orders' exists already") as refused:
        shop.add(str(folder / "orders.parquet"))
    assert refused.value.hint == "choose another name: --name NAME"


def test_a_project_that_hides_its_data_is_mended(tmp_path):
    """A project from before data had versions: `add` makes the repositories and changes one line of .gitignore."""
    init(tmp_path)
    (tmp_path / ".gitignore").write_text("*.log\n/data/\nnotes\n")
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/visits.csv").write_text(VISITS)
    done = command("add", "data/raw/visits.csv", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["versioned"] == ["data/raw/visits.csv.dvc"]
    assert (
        tmp_path / ".gitignore"
    ).read_text() == "*.log\n/data/?*\n!/data/raw/\n!/data/pushed.dvc\n!/data/served.dvc\nnotes\n"
    listed = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all", "data"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == "?? data/raw/.gitignore\n?? data/raw/visits.csv.dvc\n"
