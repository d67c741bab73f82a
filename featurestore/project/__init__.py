"""Project: everything that can be done with a project's data, and the types of the results."""

from featurestore.operations.add import Added
from featurestore.operations.adopt import Adopted
from featurestore.operations.adopt_compare import Comparison as FeastComparison
from featurestore.operations.adopt_compare import Difference as FeastDifference
from featurestore.operations.adopt_plan import Note as AdoptedNote
from featurestore.operations.apply import ApplyPlan
from featurestore.operations.audit_record import AuditRecord
from featurestore.operations.card import CardFiles
from featurestore.operations.compare import Comparison
from featurestore.operations.delete import DeletePlan
from featurestore.operations.frozen_splits import SplitChange
from featurestore.operations.join import JoinRecord
from featurestore.operations.materialize import (
    Materialized,
    MaterializePlan,
    MaterializeRecord,
    MaterializeRun,
    Progress,
)
from featurestore.operations.prove import ProofRecord
from featurestore.operations.prune import PrunePlan
from featurestore.operations.push import Pushed
from featurestore.operations.rebuild import Rebuilt
from featurestore.operations.release import ReleasePlan
from featurestore.operations.releases import Release
from featurestore.operations.replay import ReplayRecord
from featurestore.operations.rollback import RollbackPlan
from featurestore.operations.rolling_features import RollingFeature
from featurestore.operations.run import Run
from featurestore.operations.sandbox import Sandbox
from featurestore.operations.scorecard import FeatureScore, Scorecard
from featurestore.operations.summary import Summary
from featurestore.operations.training_data import Arrays, TrainingData
from featurestore.operations.training_manifest import TrainingManifest
from featurestore.operations.unversioned import Unversioned
from featurestore.project.composition import adopt, init, open, open_served  # noqa: A004 - featurestore.open, as gzip.open
from featurestore.project.project import Project
from featurestore.project.quality import Quality

__all__ = [
    "Added",
    "Adopted",
    "AdoptedNote",
    "ApplyPlan",
    "Arrays",
    "AuditRecord",
    "CardFiles",
    "Comparison",
    "DeletePlan",
    "FeastComparison",
    "FeastDifference",
    "FeatureScore",
    "JoinRecord",
    "MaterializePlan",
    "MaterializeRecord",
    "MaterializeRun",
    "Materialized",
    "Progress",
    "Project",
    "ProofRecord",
    "PrunePlan",
    "Pushed",
    "Quality",
    "Rebuilt",
    "Release",
    "ReleasePlan",
    "ReplayRecord",
    "RollbackPlan",
    "RollingFeature",
    "Run",
    "Sandbox",
    "Scorecard",
    "SplitChange",
    "Summary",
    "TrainingData",
    "TrainingManifest",
    "Unversioned",
    "adopt",
    "init",
    "open",
    "open_served",
]
