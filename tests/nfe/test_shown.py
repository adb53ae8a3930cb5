import numpy as np

from nfe.shown import are_shown
from nfe.tagging.attributes import Labels

LABELS = {
    "hair": Labels(("red", "blue"), np.array([1, 1, 0, -1]), np.array([0.9, 0.6, 0.9, 0.2])),
    "smile": Labels(("yes", "no"), np.array([0, 0, 0, 0]), np.array([0.9, 0.9, 0.9, 0.9])),
}


def test_value_must_be_the_answer_and_sure_enough():
    assert are_shown(LABELS, {"hair": "blue"}, 0.5).tolist() == [True, True, False, False]
    assert are_shown(LABELS, {"hair": "blue"}, 0.8).tolist() == [True, False, False, False]


def test_all_changes_must_be_shown_and_unknown_attributes_are():
    changes = {"hair": "blue", "smile": "no"}
    assert not are_shown(LABELS, changes, 0.5).any()
    assert are_shown(LABELS, {"hat": "red"}, 0.5).all()
