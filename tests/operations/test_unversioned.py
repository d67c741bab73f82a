"""A message about data without a version counts its files."""

import pytest

from featurestore.operations.check.unversioned import Unversioned


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (1, "1 file of data/raw/votes.csv is versioned by neither DVC nor git, so a clone does not get it"),
        (
            2,
            "2 files of data/raw/votes.csv are versioned by neither DVC nor git, so a clone does not get them",
        ),
    ],
)
def test_one_file_has_a_sentence_in_the_singular(files, text):
    """One file is versioned; several are."""
    data = Unversioned(
        "votes", "data/raw/votes.csv", files, "no version", "featurestore add data/raw/votes.csv"
    )
    assert str(data).splitlines()[0] == f"votes: {text}"


@pytest.mark.parametrize(("files", "count"), [(1, ""), (3, " (3 files now)")])
def test_a_folder_that_changed_is_not_taken_for_all_its_files(files, count):
    """A file that was removed, or one of many that changed, does not count the others as changed."""
    data = Unversioned("votes", "data/raw/votes/*.csv", files, "changed", "featurestore add votes")
    assert str(data).splitlines()[0] == (
        f"votes: data/raw/votes/*.csv changed since its last version{count}, so a clone gets other rows"
    )
