import numpy as np
import pytest
import torch

from nfe.errors import ModelFileError, TagsError
from nfe.tagging.groups import Group, choose_groups, log_probabilities, probabilities, tags_of

TABLE = {
    "hair": {"blue": ["blue_hair"], "red": ["red_hair"], "green": ["green_hair"]},
    "smile": {"yes": ["smile"], "no": []},
}
GROUPS = [
    Group("hair", ("blue", "red"), ("blue_hair", "red_hair")),
    Group("smile", ("no", "yes"), ("", "smile")),
]


def test_rare_values_are_left_out_and_labels_follow():
    labels = {"hair": np.array([2, 2, 0, 1, 0, -1]), "smile": np.array([0, 0, 1, 1, 1, 1])}
    groups, chosen, left_out = choose_groups(TABLE, labels, 2)
    assert groups[0] == Group("hair", ("blue", "green"), ("blue_hair", "green_hair"))
    assert groups[1] == Group("smile", ("yes", "no"), ("smile", ""))
    assert chosen["hair"].tolist() == [1, 1, 0, -1, 0, -1]
    assert left_out == {"hair=red": "1 pictures, fewer than 2"}


def test_attribute_with_one_value_is_left_out():
    labels = {"hair": np.array([0, 0, 1, 1]), "smile": np.array([1, 1, 1, 1])}
    groups, _, left_out = choose_groups(TABLE, labels, 2)
    assert [group.attribute for group in groups] == ["hair"]
    assert "two are needed" in left_out["smile"]


def test_one_class_only_is_an_error():
    labels = {"hair": np.zeros(9, int), "smile": np.full(9, -1)}
    with pytest.raises(TagsError, match=r"two values.*train_tagger\.source"):
        choose_groups(TABLE, labels, 2)


def test_tag_of_two_attributes_has_an_output_for_each():
    table = {
        "hair": {"black": ["black_hair"], "white": ["white_hair"]},
        "dark": {"yes": ["black_hair", "brown_hair"], "no": []},
    }
    labels = {"hair": np.array([0, 0, 1, 1]), "dark": np.array([0, 0, 1, 1])}
    groups, _, _ = choose_groups(table, labels, 1)
    assert tags_of(groups) == ("black_hair", "white_hair", "dark=yes")


def test_probabilities_against_closed_forms():
    logits = torch.tensor([[1.0, 3.0, 0.5]])
    hair = np.exp([1, 3]) / np.exp([1, 3]).sum()
    found = probabilities(logits, GROUPS)[0].numpy()
    assert found == pytest.approx([*hair, 1 / (1 + np.exp(-0.5))], abs=1e-6)
    assert all(
        torch.allclose(p.exp().sum(1), torch.ones(1)) for p in log_probabilities(logits, GROUPS)
    )


def test_group_that_is_none():
    with pytest.raises(ModelFileError, match="attribute, values and tags"):
        Group.from_json({"attribute": "hair"})
