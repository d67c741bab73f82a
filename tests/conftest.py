"""The shop (tests/shop.py) as fixtures."""

from pathlib import Path

import pytest
from shop import build_shop, write_files

import featurestore


@pytest.fixture
def shop_files(tmp_path: Path) -> Path:
    """The shop's files, nothing run yet."""
    return write_files(tmp_path)


@pytest.fixture
def shop(shop_files: Path) -> featurestore.Project:
    """The shop, validated and built."""
    return build_shop(shop_files)


@pytest.fixture(scope="module")
def shared_shop(tmp_path_factory) -> featurestore.Project:
    """One shop for all tests of a module."""
    return build_shop(write_files(tmp_path_factory.mktemp("shop")))
