"""Digests of definitions, which must agree between build, store and read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import FeatureView, Selection


def view_digest(view: FeatureView) -> str:
    """Return the digest of the meaning of stored rows: keys, features, dtypes and timing."""
    timing = view.timing
    return _digest(
        [
            view.name,
            [[name, str(dtype)] for name, dtype in view.key_schema.items()],
            [[name, str(dtype)] for name, dtype in view.feature_schema.items()],
            [str(timing.delay), str(timing.every), str(timing.ttl), timing.created],
        ]
    )


def service_digest(service: FeatureService) -> str:
    """Return the digest of a service: vector, views, and files of its on-demand functions."""
    return _digest(
        [
            service.name,
            [[name, str(dtype)] for name, dtype in service.feature_schema.items()],
            [[s.label, view_digest(s.view), list(s.features), *_renamed(s)] for s in service.reads],
            [[v.name, v.defined_in.read_text(encoding="utf-8")] for v in service.on_demand],
        ]
    )


def _renamed(selection: Selection) -> list[list[str]]:
    return [list(selection.keys)] if selection.keys != selection.view.keys else []


def _digest(content: object) -> str:
    return f"sha256:{hashlib.sha256(msgspec.json.encode(content)).hexdigest()}"
