"""What the docs say holds."""

import re
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from nfe.drawing.scenes import draw_scene
from nfe.tagging.attributes import labels_from_tags
from nfe.tagging.groups import choose_groups
from tasks.attributes import AttributeTable

DOCS = Path(__file__).parents[1] / "docs"


def test_the_attribute_of_the_docs_is_learnt_from_the_drawings() -> None:
    block = re.search(r"```yaml\n(.*?)```", (DOCS / "adding-an-attribute.md").read_text(), re.S)
    assert block is not None
    table = AttributeTable.model_validate(YAML(typ="safe").load(block[1])["attributes"]).root
    random = np.random.default_rng(0)
    scenes = [draw_scene(random, (112, 128), (64, 80), supersampling=1) for _ in range(200)]
    tags = [tuple(tag.replace(" ", "_") for tag in scene.tags) for scene in scenes]
    labels = {name: labels_from_tags(tags, values) for name, values in table.items()}
    groups, _, left_out = choose_groups(table, labels, min_pictures=15)
    assert [(g.attribute, g.values) for g in groups] == [("skin", ("dark", "light"))]
    assert not left_out
    truth = ["dark_skin" in own for own in tags]
    assert (labels["skin"] == np.where(truth, 0, 1)).all()
