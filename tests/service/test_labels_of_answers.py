"""What a caller of the server keeps of an answer is enough to label it: the request id, or the keys and the time."""

from datetime import datetime

from labelled_shop import label_shop
from serving import ROW, running


def test_a_caller_labels_answers_by_what_it_got(shop):
    """Two requests get labels by the header of the answer, and by its `as_of`."""
    shop.materialize()
    with running(shop.settings.root, log_features=1.0) as client:
        first = client.vectors(ROW)
        client.vectors({**ROW, "customer": 1}, request_id="mine")
    labels = [
        {"request_id": first.headers["x-request-id"], "bought": False},
        {"request_id": "mine", "bought": True},
    ]
    project = label_shop(shop, *labels)
    counts = project.training_set("answered").served
    assert (counts.answers, counts.unlabelled, counts.different) == (2, 0, 0)
    assert set(project.read("answered").select("customer", "bought").rows()) == {(3, False), (1, True)}
    by_time = {"customer": 3, "event_timestamp": datetime.fromisoformat(first.json()["as_of"])}
    project = label_shop(shop, by_time, columns=("customer", "event_timestamp", "bought"))
    project.training_set("answered")
    assert project.read("answered")["request_id"].to_list() == [labels[0]["request_id"]]
