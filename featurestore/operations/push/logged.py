"""A push or deletion that is in the log, and that the online store does not have yet."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from featurestore.errors import StoreError
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator


class LoggedError(StoreError):
    """A write failed after its rows were logged: the next write of the view applies them.

    Attributes
    ----------
    view
        The feature view.
    rows
        How many rows or keys are in the log.
    """

    def __init__(self, view: str, rows: int, error: StoreError) -> None:
        super().__init__(
            f"{counted(rows, 'row')} of view {view!r} may be applied later, though the write failed: the log has them: "
            f"{error.message}",
            hint="the next push, deletion or featurestore materialize applies them; to send them again does no harm",
            retry=error.retry,
        )
        self.view = view
        self.rows = rows


@contextmanager
def logged(view: str, rows: int) -> Iterator[None]:
    """Say that rows are in the log if the block fails, which writes them to the online stores and keeps records of it.

    Raises
    ------
    LoggedError
        If an online store or the file system fails.
    """
    try:
        yield
    except StoreError as error:
        if rows:
            raise LoggedError(view, rows, error) from error
        raise
