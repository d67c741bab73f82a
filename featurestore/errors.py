"""Every error that featurestore raises on purpose.

The branches follow what the person does next::

    FeatureStoreError
    ├── DefinitionError      fix the code in schemas/ or feature_repo/
    │   ├── UnknownNameError use a name that exists (carries the kind, the name and the known names)
    │   └── NotReproducibleError  make the function depend on its rows alone (carries the differences)
    ├── ContractError        fix the data (carries the verdict of the gate, where there is one)
    ├── SkewError            bring training and serving together again
    ├── MissingDataError     run the command that the hint names
    ├── ConfigError          fix pyproject.toml or feature_store.yaml
    │   ├── UnknownSettingError  use a setting that exists (carries the file, the names and the known names)
    │   └── MissingPackageError  install the package (carries what needs it, its name and the requirement)
    └── StoreError           check the store or the disk (`retry`: the same call may succeed later)

Each class has an exit code, which the command line returns, so that a script can tell the branches
apart. Programs read the fields of an error. The message is for people, and its wording may change.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from featurestore.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_MESSAGE = 2_000
MAX_LISTED = 50


class FeatureStoreError(Exception):
    """Root of all errors that featurestore raises on purpose.

    Parameters
    ----------
    message
        What is wrong, and where. Longer messages are cut at 2,000 characters.
    hint
        What to do next. It is shown on a line of its own.

    Attributes
    ----------
    message, hint
        The message without the hint, and the hint or None.
    exit_code, outcome
        What the command line exits with, and what that means, for `--help`.
    """

    exit_code = 1
    outcome = "it failed"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        if len(message) > MAX_MESSAGE:
            message = f"{message[:MAX_MESSAGE]} … ({len(message) - MAX_MESSAGE:,} more characters)"
        super().__init__(message if hint is None else f"{message}\n  hint: {hint}")
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers send errors to each other: the fields travel, and `__init__` does not run a second time.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[FeatureStoreError], args: tuple[Any, ...], fields: dict[str, Any]
) -> FeatureStoreError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class DefinitionError(FeatureStoreError, ValueError):
    """A schema, view or service is defined in a way that cannot work."""

    exit_code = 3
    outcome = "a definition is wrong"


class UnknownNameError(DefinitionError, LookupError):
    """The requested name does not exist.

    Parameters
    ----------
    kind
        What the name should stand for, such as ``"feature view"``.
    name
        The unknown name.
    known
        The names that exist.
    within
        Where the name was looked up, such as ``"view 'orders'"``. None for the whole project.

    Attributes
    ----------
    kind, name, within
        As given.
    known
        The names that exist, sorted. The hint lists the first 50 of them.
    nearest
        The known name that is most similar, or None.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, within: str | None = None) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        self.within = within
        self.nearest = nearest(name[:MAX_MESSAGE], self.known)
        place = "" if within is None else f" in {within}"
        super().__init__(f"there is no {kind} named {name!r}{place}", hint=self._suggestion())

    def _suggestion(self) -> str:
        listing = ", ".join(self.known[:MAX_LISTED]) or "none are defined"
        if len(self.known) > MAX_LISTED:
            listing += f" and {len(self.known) - MAX_LISTED:,} more"
        if self.nearest is None:
            return f"known: {listing}"
        return f"did you mean {self.nearest!r}? (known: {listing})"


@dataclass(frozen=True)
class Difference:
    """The first difference between two builds of a definition.

    Attributes
    ----------
    kind, name
        The definition, such as ``"feature view"`` and ``"spending"``.
    column
        The first column that differs. None: the builds have other rows or other columns.
    row
        Number of the first row that differs, from 0, in the order of the build.
    first, second
        The two values as text. Without a column: the sizes of the builds.
    is_rounding
        Whether the two values are floats that differ in their last digits, as sums in another order do.
    """

    kind: str
    name: str
    column: str | None
    row: int | None
    first: str
    second: str
    is_rounding: bool = False

    def __str__(self) -> str:
        place = "the size" if self.column is None else f"column {self.column!r}, row {self.row:,}"
        return f"{self.kind} {self.name!r}: {place}: {self.first} in one build, {self.second} in the other"


class NotReproducibleError(DefinitionError):
    """Two builds of a definition from the same rows differ.

    Parameters
    ----------
    differences
        The first difference of each definition.

    Attributes
    ----------
    differences
        As given.
    """

    def __init__(self, differences: Iterable[Difference]) -> None:
        self.differences = tuple(differences)
        super().__init__(
            "\n".join(map(str, self.differences)),
            hint="\n".join(self._remedies()),
        )

    def _remedies(self) -> Iterator[str]:
        rounded = [difference for difference in self.differences if difference.is_rounding]
        others = [difference for difference in self.differences if not difference.is_rounding]
        if rounded:
            columns = ", ".join(f"{difference.name}.{difference.column}" for difference in rounded)
            yield f"add up floats with `featurestore.exact_sum` or `exact_mean`: {columns}"
        if others:
            names = ", ".join(dict.fromkeys(difference.name for difference in others))
            yield (
                "give `sample` and `shuffle` a seed; sort by a key before `first`, `shift` or `cum_sum`; add ORDER BY to "
                f"SQL; read no clock, and keep no state between calls; use `exact_sum` where floats cancel: {names}"
            )


class ContractError(FeatureStoreError, ValueError):
    """Data break their contract.

    Attributes
    ----------
    verdict
        The gate's verdict (`featurestore.quality.gate.verdict.Verdict`). None if the data could not
        be read.
    """

    exit_code = 4
    outcome = "data break their contract"

    def __init__(self, message: str, *, hint: str | None = None, verdict: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.verdict = verdict


class SkewError(FeatureStoreError):
    """Training and serving disagree, or do not belong together.

    Attributes
    ----------
    definition
        Name of the definition that another one was found in place of. None: values disagree, or times do.
    differences
        What differs between the two (`featurestore.definitions.fingerprint.Difference`). Empty: not known.
    commands
        The commands that bring the two together again, in the order in which to run them.
    """

    exit_code = 5
    outcome = "training and serving disagree"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        definition: str | None = None,
        differences: Iterable[Any] = (),
        commands: Iterable[str] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.definition = definition
        self.differences = tuple(differences)
        self.commands = tuple(commands)


class MissingDataError(FeatureStoreError, FileNotFoundError):
    """Data are missing that an earlier command writes. The hint names the command."""

    exit_code = 6
    outcome = "data are missing"


class ConfigError(FeatureStoreError, ValueError):
    """The settings of the project cannot be used."""

    exit_code = 7
    outcome = "settings are wrong"


class UnknownSettingError(ConfigError, LookupError):
    """A file of settings has names that do not exist.

    Attributes
    ----------
    path, section, names, known, nearest
        The file, its part (None: all), the unknown and the known names; by unknown name the nearest one or None.
    """

    def __init__(self, path: str, section: str | None, names: Iterable[str], known: Iterable[str]) -> None:
        self.path, self.section = path, section
        self.names, self.known = tuple(sorted(names)), tuple(sorted(known))
        self.nearest = {name: nearest(name, self.known) for name in self.names}
        similar = [f"{name!r} may be {near!r}" for name, near in self.nearest.items() if near is not None]
        super().__init__(
            f"{path}: {section or 'the file'} has unknown settings: {', '.join(self.names)}",
            hint="; ".join([*similar, f"known settings: {', '.join(self.known)}"]),
        )


class MissingPackageError(ConfigError, ImportError):
    """A package that this call needs is not installed here. A serving machine has only what serving needs.

    Parameters
    ----------
    needed_by
        What needs the package, such as ``"SQL over datasets"``.
    package
        Name of the module that cannot be imported. None: not known.
    extra
        The extra of featurestore that installs it. None: ``pip install featurestore`` installs it.
    reason
        Why an installed package cannot be imported. None: it is not installed.

    Attributes
    ----------
    needed_by, package
        As given.
    requirement
        What to give to ``pip install``, such as ``"featurestore[redis]"``.
    """

    outcome = "a package is not installed"

    def __init__(
        self, needed_by: str, package: str | None, *, extra: str | None = None, reason: str | None = None
    ) -> None:
        self.needed_by = needed_by
        self.package = package
        self.requirement = "featurestore" if extra is None else f"featurestore[{extra}]"
        if package is None or reason is not None:
            message = f"{needed_by} needs a package that cannot be imported: {reason}"
        else:
            message = f"{needed_by} needs the package {package}, which is not installed"
        hint = f"run: pip install '{self.requirement}'"
        if extra is None:
            hint += "; or, if this machine only serves, do this where all of featurestore is installed"
        super().__init__(message, hint=hint)


@contextmanager
def package_needed_by(needed_by: str, *, extra: str | None = None) -> Iterator[None]:
    """Name what needs a package, and how to install it, if an import inside the block fails.

    Parameters
    ----------
    needed_by, extra
        As for `MissingPackageError`.

    Raises
    ------
    MissingPackageError
        If a module cannot be imported.
    """
    try:
        yield
    except MissingPackageError:
        raise
    except ImportError as error:
        package = error.name.partition(".")[0] if error.name else None
        reason = None if isinstance(error, ModuleNotFoundError) else str(error)
        raise MissingPackageError(needed_by, package, extra=extra, reason=reason) from error


class StoreError(FeatureStoreError, OSError):
    """A store or file system failed.

    Attributes
    ----------
    retry
        True if the same call may succeed later.
    """

    exit_code = 8
    outcome = "a store or file system failed"

    def __init__(self, message: str, *, hint: str | None = None, retry: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retry = retry
