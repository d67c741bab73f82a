"""Project: everything that can be done with a project's data, and the types of the results."""

from featurestore.operations.add.add import Added
from featurestore.operations.adopt.adopt import Adopted
from featurestore.operations.adopt.compare import Comparison as FeastComparison
from featurestore.operations.adopt.compare import Difference as FeastDifference
from featurestore.operations.adopt.plan import Note as AdoptedNote
from featurestore.operations.apply.apply import ApplyPlan
from featurestore.operations.audit.record import AuditRecord
from featurestore.operations.card.card import CardFiles
from featurestore.operations.check.rolling_features import RollingFeature
from featurestore.operations.check.unversioned import Unversioned
from featurestore.operations.compare import Comparison
from featurestore.operations.delete import DeletePlan
from featurestore.operations.join import JoinRecord
from featurestore.operations.materialize import (
    Materialized,
    MaterializePlan,
    MaterializeRecord,
    MaterializeRun,
    Progress,
)
from featurestore.operations.prove.prove import ProofRecord
from featurestore.operations.prove.sandbox import Sandbox
from featurestore.operations.push.push import Pushed
from featurestore.operations.rebuild.rebuild import Rebuilt
from featurestore.operations.release.prune import PrunePlan
from featurestore.operations.release.release import ReleasePlan
from featurestore.operations.release.releases import Release
from featurestore.operations.release.rollback import RollbackPlan
from featurestore.operations.replay.replay import ReplayRecord
from featurestore.operations.run import Run
from featurestore.operations.scorecard import FeatureScore, Scorecard
from featurestore.operations.summary import Summary
from featurestore.operations.training_set.data import Arrays, TrainingData
from featurestore.operations.training_set.frozen_splits import SplitChange
from featurestore.operations.training_set.manifest import TrainingManifest
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
