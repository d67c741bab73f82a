"""What a server and the process that validates for it say to each other."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import msgspec

from featurestore.quality.gate.verdict import Verdict
from featurestore.service.api.problems import INTERNAL_ERROR
from featurestore.service.runtime.refused import RefusedError
from featurestore.service.runtime.validators import NO_MEMORY_ENDS, ValidatorEndedError
from featurestore.storage.body_limits import BodyLimits

if TYPE_CHECKING:
    from featurestore.service.runtime.validators import Validators


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A body to validate.

    Attributes
    ----------
    root
        Folder of the definitions: the project or a release.
    data
        Folder of the project's data.
    definition
        Digest of the dataset's definition in the server.
    body, results
        File of the body, and folder for the results.
    """

    root: str
    data: str
    dataset: str
    definition: str
    media: str
    environment: str | None
    body: str
    results: str
    limits: BodyLimits


class Validated(msgspec.Struct, frozen=True, tag=True):
    """The verdict on a body."""

    verdict: Verdict


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Why a body has no verdict: the error as the server answers it; for an internal error, its traceback."""

    status: int
    kind: str
    message: str
    hint: str | None = None


async def validated_elsewhere(job: Job, validators: Validators, *, memory: int) -> Verdict:
    """Let another process validate a body.

    Parameters
    ----------
    memory
        Bytes that the process may use, for messages.

    Raises
    ------
    RefusedError
        If the body cannot be validated, needs more memory, or damages the process that reads it.
    RuntimeError
        If the process fails; has its traceback.
    """
    try:
        answer = await validators.run(msgspec.json.encode(job))
    except ValidatorEndedError as error:
        if error.returncode in NO_MEMORY_ENDS:
            raise RefusedError(
                413,
                "TooLarge",
                f"{job.dataset}: the body needs more than {memory:,} bytes of memory to be validated",
                hint="send it in parts; --upload-memory is the limit",
            ) from error
        end = f"exit code {error.returncode}"
        if error.returncode < 0:
            end = signal.Signals(-error.returncode).name
        raise RefusedError(
            422,
            "ContractError",
            f"{job.dataset}: the body cannot be read as {job.media}: it ended its reader ({end})",
            hint="send a complete body in that format",
        ) from error
    result: Validated | Failed = msgspec.json.decode(answer, type=Validated | Failed)
    if isinstance(result, Validated):
        return result.verdict
    if result.status == INTERNAL_ERROR and result.kind == "InternalError":
        raise RuntimeError(result.message)
    raise RefusedError(result.status, result.kind, result.message, hint=result.hint)
