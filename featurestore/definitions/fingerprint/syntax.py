"""Small questions about syntax trees."""

from __future__ import annotations

import ast

# featurestore's own: what they declare counts separately.
DEFINITION_DECORATORS = frozenset({"dataset", "feature_view", "on_demand_feature_view", "training_set"})


def is_type_checking(node: ast.AST) -> bool:
    """Say whether a node is ``if TYPE_CHECKING:``."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", None)
    return name == "TYPE_CHECKING"


def decorator_name(node: ast.expr) -> str:
    """Return the last name of a decorator, such as ``feature_view``."""
    target = node.func if isinstance(node, ast.Call) else node
    return target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
