"""A message names a server, and never its password."""

import pytest

from featurestore.adapters.server_url import without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("rediss://:p@ss@cache:6379/0?password=secret", "rediss://cache:6379/0"),
        ("postgresql://me:secret@one:1,two:2/db?sslpassword=secret", "postgresql://one:1,two:2/db"),
        ("redis://me:se?cret@cache/0", "the configured address"),
        ("host=db password=secret", "the configured address"),
    ],
)
def test_no_secret_is_shown(url, shown):
    """User names, passwords and queries are left out."""
    assert without_secrets(url) == shown
