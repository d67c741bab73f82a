"""Ask the model about flights, with the features that the online store serves."""

import joblib
import polars as pl

import featurestore

MODEL = "model.joblib"


def main() -> None:
    """Print the probability of a late departure of the last five flights of test, as it is now."""
    project = featurestore.open("../..")
    # Refuses the model if it was trained on other features, or on other fitted state, than are served.
    record = project.require_model(MODEL)
    model = joblib.load(MODEL)
    data = project.read_training_set(record.training_set)
    asked = data.polars("test").tail(5)
    keys = ["carrier", "origin", "dest", "tailnum", "scheduled_departure", "route_bearing"]
    vectors = project.get_online(asked.select(keys), record.service)
    late = model.predict_proba(data.transformer().transform(vectors))[:, 1]
    print(
        asked.select("carrier", "flight", "scheduled_departure").with_columns(late=pl.Series(late).round(3))
    )


if __name__ == "__main__":
    main()
