"""Train a model on a training set, measure it beside two baselines, and record which features it was trained on."""

import json
from pathlib import Path

import joblib
import numpy as np
import polars as pl
from sklearn.calibration import calibration_curve
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve

import featurestore

TRAINING_SET = "late_departures"
MODEL = "model.joblib"
POINTS = 50


def scores(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Measure probabilities of the label."""
    measured = {
        "auc": roc_auc_score(label, probability),
        "brier": brier_score_loss(label, probability),
        "log_loss": log_loss(label, probability),
    }
    return {name: round(float(value), 3) for name, value in measured.items()}


def main() -> None:
    """Train, measure on validation and test, and write model, record, metrics and plots."""
    project = featurestore.open("../..")
    data = project.read_training_set(TRAINING_SET)
    train = data.numpy("train")
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    model.fit(train.X, train.y)

    carrier = train.names.index("carrier_late_share_7d")
    majority = float(train.y.mean())
    metrics = {}
    for split in ("validation", "test"):
        rows = data.numpy(split)
        share = np.nan_to_num(rows.X[:, carrier], nan=majority)
        probabilities = {
            "majority": np.full(len(rows.y), majority),
            "carrier": np.clip(share, 0.001, 0.999),
            "model": model.predict_proba(rows.X)[:, 1],
        }
        metrics[split] = {name: scores(rows.y, probability) for name, probability in probabilities.items()}

    joblib.dump(model, MODEL)
    project.write_model_record(MODEL, TRAINING_SET)
    Path("metrics.json").write_text(json.dumps(metrics, indent=2))
    false_positive, true_positive, _ = roc_curve(rows.y, probabilities["model"])
    every = max(len(false_positive) // POINTS, 1)
    pl.DataFrame({"fpr": false_positive, "tpr": true_positive}).gather_every(every).write_csv("roc.csv")
    late, predicted = calibration_curve(rows.y, probabilities["model"], n_bins=10)
    pl.DataFrame({"predicted": predicted, "late": late}).write_csv("calibration.csv")
    print(json.dumps(metrics["test"]))


if __name__ == "__main__":
    main()
