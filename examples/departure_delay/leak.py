"""What a leak promises, and what it then delivers.

The feature is the mean delay of the flights that leave LaGuardia from two hours before to two hours after the time asked. In training rows
it knows flights that leave after that time. Serving knows those that have left. `featurestore check-leaks` refuses a view that computes it.
"""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

import featurestore

TRAINING_SET = "late_departures"
WINDOW = timedelta(hours=2)


def mean_delay(flights: pl.DataFrame, start: pl.Series, end: pl.Series) -> np.ndarray:
    """Return the mean delay of the flights that left after `start` and up to `end`, for each pair; NaN without any."""
    left, total = flights["departed_at"], flights["departure_delay"].cum_sum().to_numpy()
    total = np.concatenate([[0], total])
    first, last = (left.search_sorted(times, side="right").to_numpy() for times in (start, end))
    count = last - first
    return np.where(count > 0, (total[last] - total[first]) / np.maximum(count, 1), np.nan)


def main() -> None:
    """Train with the leaking feature; measure it as it was trained, and with what serving would have known."""
    project = featurestore.open("../..")
    data = project.read_training_set(TRAINING_SET)
    flights = (
        project.dataset("flights")
        .filter(pl.col("origin") == "LGA")
        .select("departed_at", "departure_delay")
        .drop_nulls()
        .sort("departed_at")
        .collect()
    )
    asked = data.polars()["event_timestamp"]
    promised = mean_delay(flights, asked - WINDOW, asked + WINDOW)
    delivered = mean_delay(flights, asked - WINDOW, asked)

    rows = data.numpy()
    train, test = rows.split == "train", rows.split == "test"
    leaking = np.column_stack([rows.X, promised])
    without = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(rows.X[train], rows.y[train])
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(leaking[train], rows.y[train])

    def auc(fitted: HistGradientBoostingClassifier, matrix: np.ndarray) -> float:
        return round(float(roc_auc_score(rows.y[test], fitted.predict_proba(matrix[test])[:, 1])), 3)

    measured = {
        "without": auc(without, rows.X),
        "promised": auc(model, leaking),
        "delivered": auc(model, np.column_stack([rows.X, delivered])),
    }
    Path("leak.json").write_text(json.dumps({"auc": measured}, indent=2))
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
