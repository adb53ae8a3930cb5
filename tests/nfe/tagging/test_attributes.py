import numpy as np
import pytest

from nfe.tagging.attributes import contradict_themselves, label_attributes, labels_from_tags

ATTRIBUTES = {
    "hair": {"blue": ["blue_hair"], "white": ["white_hair", "silver_hair"], "red": ["red_hair"]},
    "smile": {"yes": ["smile"], "no": []},
}
TAGS = ("smile", "blue_hair", "white_hair", "silver_hair")


def label(row, **options):
    options = {"min_confidence": 0.5, "min_score": 0.0, **options}
    return label_attributes(np.array([row], np.float32), TAGS, ATTRIBUTES, **options)


def test_confidence_is_share_of_the_attributes_sum():
    hair = label([0.9, 0.2, 0.3, 0.1])["hair"]
    assert hair.values == ("blue", "white")  # no tag of red is known
    assert hair.names() == ["white"]
    assert hair.confidence[0] == pytest.approx(0.4 / 0.6)


def test_value_without_tags_has_what_the_others_leave():
    smile = label([0.3, 0, 0, 0])["smile"]
    assert smile.names() == ["no"]
    assert smile.confidence[0] == pytest.approx(0.7)


def test_synonyms_count_at_most_once():
    hair = label([0, 0.5, 0.9, 0.9])["hair"]
    assert hair.confidence[0] == pytest.approx(1 / 1.5)


def test_unsure_pictures_get_no_label():
    assert label([0, 0.3, 0.29, 0], min_confidence=0.6)["hair"].index.tolist() == [-1]
    assert label([0, 0.01, 0, 0], min_score=0.3)["hair"].index.tolist() == [-1]
    assert label([0, 0, 0, 0], min_confidence=0.0)["hair"].index.tolist() == [-1]


def test_own_output_of_a_value_goes_before_its_tags():
    tags = ("blue_hair", "dark=yes")
    table = {"dark": {"yes": ["blue_hair"], "no": []}}
    labels = label_attributes(np.array([[0.1, 0.9]]), tags, table, 0.5, 0.0)
    assert labels["dark"].names() == ["yes"]


def test_attribute_that_the_tagger_does_not_know_is_left_out():
    assert label_attributes(np.ones((2, 1)), ("hat",), ATTRIBUTES, 0.5, 0.0) == {}


def test_no_pictures():
    labels = label_attributes(np.zeros((0, 4)), TAGS, ATTRIBUTES, 0.5, 0.0)
    assert labels["hair"].names() == []


def test_noisy_tags_teach_nothing_false():
    pictures = [
        ("1girl", "blue_hair"),
        ("blue_hair", "red_hair"),  # two values: unknown
        ("white_hair", "silver_hair"),  # two tags of one value: known
        ("1girl",),
        (),
    ]
    hair = labels_from_tags(pictures, ATTRIBUTES["hair"])
    smile = labels_from_tags([*pictures, ("smile",)], ATTRIBUTES["smile"])
    assert hair.tolist() == [0, -1, 1, -1, -1]
    assert smile.tolist() == [1, 1, 1, 1, -1, 0]  # without any tag nothing is known


def test_tags_of_two_people_contradict_themselves() -> None:
    pictures = [
        ("red_hair", "blue_hair", "smile"),
        ("blue_hair", "smile"),
        ("silver_hair", "white_hair"),
        ("1girl",),
        (),
    ]
    table = {
        "hair": {"red": ["red_hair"], "blue": ["blue_hair"], "white": ["white_hair", "silver_hair"]}
    }
    table["smile"] = {"yes": ["smile"], "no": []}
    assert contradict_themselves(pictures, table).tolist() == [True, False, False, False, False]
