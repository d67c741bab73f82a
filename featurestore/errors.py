"""Every error that featurestore raises on purpose.

The branches follow what the person does next::

    FeatureStoreError
    ├── DefinitionError      fix the code in schemas/ or feature_repo/
    │   └── UnknownNameError ask for a name that exists (the nearest is suggested)
    ├── ContractError        fix the data (carries the verdict of the gate, where there is one)
    ├── SkewError            training and serving disagree (carries the differing cells)
    ├── MissingDataError     run the command that the message names
    ├── ConfigError          fix pyproject.toml or feature_store.yaml
    └── StoreError           the outside world failed (says whether to try again)

Each class has an exit code that the command line returns, so that a script can tell them apart.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_MESSAGE = 2_000


class FeatureStoreError(Exception):
    """Root of all errors raised on purpose.

    Parameters
    ----------
    message
        What is wrong, and where. Cut at 2,000 characters.
    hint
        What to do next; shown on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        if len(message) > MAX_MESSAGE:
            message = f"{message[:MAX_MESSAGE]} … ({len(message) - MAX_MESSAGE} more characters)"
        super().__init__(message if hint is None else f"{message}\n  hint: {hint}")
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


class DefinitionError(FeatureStoreError, ValueError):
    """A schema, view or service is defined in a way that cannot work."""

    exit_code = 3


class UnknownNameError(DefinitionError, LookupError):
    """Something was asked for by a name that nothing has."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """Build the error for `name`, suggesting the nearest of the `known` names."""
        names = sorted(known)
        nearest = get_close_matches(name, names, n=1, cutoff=0.5)
        listing = ", ".join(names) if names else "none are defined"
        return cls(
            f"there is no {kind} named {name!r}",
            hint=f"did you mean {nearest[0]!r}? (known: {listing})" if nearest else f"known: {listing}",
        )


class ContractError(FeatureStoreError, ValueError):
    """Data break their contract.

    Attributes
    ----------
    verdict
        The gate's verdict (`featurestore.quality.Verdict`), or None where the data could not be read at all.
    """

    exit_code = 4

    def __init__(self, message: str, *, hint: str | None = None, verdict: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.verdict = verdict


class SkewError(FeatureStoreError):
    """Training and serving disagree, or do not belong together."""

    exit_code = 5


class MissingDataError(FeatureStoreError, FileNotFoundError):
    """Data that an earlier command writes are not there yet."""

    exit_code = 6


class ConfigError(FeatureStoreError, ValueError):
    """The project's settings cannot be used."""

    exit_code = 7


class StoreError(FeatureStoreError, OSError):
    """A store or file system failed.

    Attributes
    ----------
    retry
        True where the same call may succeed later.
    """

    exit_code = 8

    def __init__(self, message: str, *, hint: str | None = None, retry: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retry = retry
