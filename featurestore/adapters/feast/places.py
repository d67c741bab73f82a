"""Where Feast's saved datasets and logs are: local paths, relative to the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from feast.data_format import ParquetFormat
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

from featurestore.errors import ConfigError


class SavedDatasetExistsError(ConfigError, SavedDatasetLocationAlreadyExists):
    """The file of a saved dataset exists already. It is also Feast's own error, which callers of Feast catch.

    Attributes
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} exists already", hint="pass allow_overwrite=True")
        # Feast's `__init__`, which runs in between, puts the message into a sentence of its own.
        self.args = (f"{self.message}\n  hint: {self.hint}",)


def local_file(storage: Any, feast_repo: Path | None) -> Path:
    """Return the path of the file of a saved dataset.

    Raises
    ------
    ConfigError
        If the storage is not a Parquet file on this machine, or its path is a folder.
    """
    if not isinstance(storage, SavedDatasetFileStorage):
        raise ConfigError(
            f"a saved dataset cannot be stored in {type(storage).__name__}; expected SavedDatasetFileStorage",
            hint='example: SavedDatasetFileStorage(path="../data/saved.parquet")',
        )
    options = storage.file_options
    if options.file_format is not None and not isinstance(options.file_format, ParquetFormat):
        raise ConfigError(
            f"a saved dataset cannot have the format {type(options.file_format).__name__}; expected ParquetFormat",
            hint="leave out file_format",
        )
    path = local_folder(options.uri, feast_repo)
    if path.is_dir() or options.uri.endswith("/"):
        raise ConfigError(
            f"{path} is a folder; a saved dataset is one file",
            hint=f'example: SavedDatasetFileStorage(path="{path / "saved.parquet"}")',
        )
    return path


def local_folder(uri: str, feast_repo: Path | None) -> Path:
    """Return the local path of a URI. A relative path is relative to the repository.

    Raises
    ------
    ConfigError
        If the URI is on another machine.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise ConfigError(
            f"{uri} is not on this machine; expected a local path",
            hint="write to a local path, and copy the file from there",
        )
    return (feast_repo or Path()) / parts.path
