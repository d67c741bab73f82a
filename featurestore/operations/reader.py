"""Reader: look up vectors in microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.gate.request_gate import RequestGate
from featurestore.vectors.reader import VectorReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.workspace import Workspace


def reader(workspace: Workspace, features: str | Sequence[str] | FeatureService) -> VectorReader:
    """Prepare lookups of vectors: rows as dictionaries in, Python values and statuses out.

    See `featurestore.vectors.reader.VectorReader`.

    Raises
    ------
    MissingDataError
        If the online store does not exist yet.
    """
    service = workspace.service(features)
    check = RequestGate(service).check_rows
    return VectorReader(service, workspace.store(), check=check, layout=workspace.layout)
