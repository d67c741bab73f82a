"""What users declare beside a training set: ``random_split(test=0.2, seed=1)``, ``time_split(test_from=...)``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from featurestore.errors import ConfigError, DefinitionError
from featurestore.timestamps import parse_timestamp
from featurestore.timing.duration import parse_duration
from featurestore.values.arguments import integer_of, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SPLIT: Final = "split"
TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
SPLITS: Final = (TRAIN, VALIDATION, TEST)
_WHOLE: Final = 1.0
_TOLERANCE: Final = 1e-9


class RandomSplit(msgspec.Struct, frozen=True, tag="random"):
    """Rows go to splits by a hash of their identity, so that further rows move none of the rows before.

    Attributes
    ----------
    validation, test
        Shares of the rows; train has the rest.
    by
        The columns whose equal values stay in one split. Empty: those that identify a row.
    stratify
        Each combination of values of these columns must be in every split.
    """

    validation: float
    test: float
    seed: int
    by: tuple[str, ...] = ()
    stratify: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that it makes."""
        return _names(has_validation=self.validation > 0, has_test=self.test > 0)

    @property
    def shares(self) -> dict[str, float]:
        """The share of each split that it makes."""
        shares = {TRAIN: 1 - self.validation - self.test, VALIDATION: self.validation, TEST: self.test}
        return {name: shares[name] for name in self.names}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return (*self.by, *self.stratify)


class TimeSplit(msgspec.Struct, frozen=True, tag="time"):
    """Rows go to splits by their ``event_timestamp``: train first, then validation, then test.

    Attributes
    ----------
    validation_from, test_from
        The first timestamps of the splits. None: there is no such split.
    gap
        Rows of the last `gap` before a later split begins are left out.
    """

    validation_from: datetime | None
    test_from: datetime | None
    gap: timedelta

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that it makes."""
        return _names(has_validation=self.validation_from is not None, has_test=self.test_from is not None)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return ()


SplitStrategy: TypeAlias = RandomSplit | TimeSplit


def random_split(
    *,
    train: float | None = None,
    validation: float = 0.0,
    test: float = 0.0,
    seed: int,
    by: str | Sequence[str] | None = None,
    stratify: str | Sequence[str] | None = None,
) -> RandomSplit:
    """Declare a split by chance: a hash of the row's identity and the seed decides, and nothing else.

    Parameters
    ----------
    train, validation, test
        Shares of the rows. Without `train`, it is what the others leave.
    seed
        Another seed gives another split. Two training sets with equal `seed` and `by` put an entity in the same split.
    by
        Columns whose equal values stay in one split, such as ``"customer"``. Without them, rows of the same key are in
        one split: the columns that the schema declares unique, or entity keys and ``event_timestamp``.
    stratify
        Columns each of whose combinations of values must be in every split, such as the label.

    Raises
    ------
    DefinitionError
        If shares are not between 0 and 1, do not add up to 1, or leave nothing for train or for the others; or if the
        seed is not an integer, or `by` or `stratify` names no columns.
    """
    for name, value in ((TRAIN, train), (VALIDATION, validation), (TEST, test)):
        if (value is not None or name != TRAIN) and not 0 <= _number(name, value) < _WHOLE:
            raise DefinitionError(
                f"random_split: {name} is {value}; expected a share from 0 to below 1",
                hint=f"example: {name}=0.2",
            )
    if train is not None and abs(train + validation + test - _WHOLE) > _TOLERANCE:
        raise DefinitionError(
            f"random_split: the shares {train}, {validation} and {test} add up to {train + validation + test:.12g}; "
            "expected 1",
            hint="leave out train: it has what validation and test leave",
        )
    if not 0 < validation + test < _WHOLE:
        raise DefinitionError(
            f"random_split: validation and test have {validation + test:.6g} of the rows together; expected more than 0 "
            "and less than 1",
            hint="example: random_split(validation=0.1, test=0.2, seed=1)",
        )
    return RandomSplit(
        validation,
        test,
        seed_of("random_split", seed),
        columns_of("by", by),
        columns_of("stratify", stratify),
    )


def time_split(
    *,
    validation_from: datetime | str | None = None,
    test_from: datetime | str | None = None,
    gap: timedelta | str = timedelta(0),
) -> TimeSplit:
    """Declare a split by time: what comes later validates and tests what was learned before.

    A row whose label was not yet known when a later split begins is left out: see `matures` of ``training_set``.

    Parameters
    ----------
    validation_from, test_from
        The first timestamp of each split, in ISO 8601 with a time zone.
    gap
        Rows of the last `gap` before a later split begins are left out, too: a timedelta, or text such as ``"1d"``.

    Raises
    ------
    DefinitionError
        If neither is given, validation does not begin before test, or a time cannot be read.
    """
    try:
        validation_begin = None if validation_from is None else parse_timestamp(validation_from)
        test_begin = None if test_from is None else parse_timestamp(test_from)
    except ConfigError as error:
        raise DefinitionError(f"time_split: {error.message}", hint=error.hint) from error
    if validation_begin is None and test_begin is None:
        raise DefinitionError(
            "time_split: neither validation_from nor test_from is given",
            hint='example: time_split(test_from="2013-11-01T00:00:00Z")',
        )
    if validation_begin is not None and test_begin is not None and validation_begin >= test_begin:
        raise DefinitionError(
            f"time_split: validation begins at {validation_begin.isoformat()}, and test at {test_begin.isoformat()}",
            hint="let validation begin before test",
        )
    length = parse_duration(gap) if isinstance(gap, str) else gap
    if not isinstance(length, timedelta) or length < timedelta(0):
        raise DefinitionError(
            f"time_split: gap is {gap!r}; expected a duration of zero or more",
            hint='write gap="1d" (us, ms, s, m, h, d, w) or a timedelta',
        )
    return TimeSplit(validation_begin, test_begin, length)


def columns_of(option: str, columns: object) -> tuple[str, ...]:
    """Read the names of columns, or a single one. None: none. Raises as `featurestore.values.arguments.names_of`."""
    return () if columns is None else names_of(option, columns, example=f'{option}=("customer",)')


def seed_of(where: str, seed: object) -> int:
    """Read a seed. Raises `DefinitionError` if it is not an integer."""
    return integer_of(f"{where}: seed", seed, example="seed=1")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DefinitionError(
            f"random_split: {name} is {value!r}; expected a number", hint=f"example: {name}=0.2"
        )
    return value


def _names(*, has_validation: bool, has_test: bool) -> tuple[str, ...]:
    return (TRAIN, *([VALIDATION] if has_validation else []), *([TEST] if has_test else []))
