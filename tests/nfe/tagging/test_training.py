import numpy as np
import pytest
import torch

from nfe.errors import TrainingError
from nfe.tagging.evaluation import attribute_figures, label_ceilings, tag_thresholds
from nfe.tagging.training import (
    Augmentation,
    RegionSwap,
    augment,
    predict_logits,
    swap_regions,
    tagging_loss,
    train_tagger_network,
)
from tests.nfe.tagging.synthetic import GROUPS, make_pictures

MILD = Augmentation(shift=0.05, zoom=0.05, angle=5, brightness=0.05, noise=0.05)
STILL = Augmentation(0, 0, 0, 0, 0)


def train(pixels, labels, **options):
    settings = {
        "width": 4,
        "num_epochs": 6,
        "batch_size": 16,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "label_smoothing": 0.0,
        "augmentation": MILD,
        "region_swap": None,
        "seed": 3,
        "bf16": False,
        "device": "cpu",
        "on_progress": lambda done, total, note: None,
    }
    return train_tagger_network(pixels, labels, GROUPS, **{**settings, **options})


def test_learns_from_partial_and_conflicting_labels():
    pixels, labels = make_pictures(240, seed=1)
    rng = np.random.default_rng(2)
    labels[rng.random(labels.shape) < 0.3] = -1
    network, curve = train(pixels, labels)
    pixels, labels = make_pictures(200, seed=5)
    logits = predict_logits(network, pixels, "cpu")
    figures = attribute_figures(logits, labels, GROUPS)
    assert figures["color"]["accuracy"] > 0.95
    assert figures["bar"]["accuracy"] > 0.95
    assert figures["bar"]["num_pictures"] == 200
    assert [shown for shown, _ in curve] == [240 * epoch for epoch in range(1, 7)]
    assert curve[-1][1] < curve[0][1]
    assert set(tag_thresholds(logits, labels, GROUPS)) == {"red", "green", "blue", "bar"}


def test_same_seed_same_weights():
    pixels, labels = make_pictures(32, seed=1)
    runs = [train(pixels, labels, num_epochs=1, seed=seed)[0].state_dict() for seed in (7, 7, 8)]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert not torch.equal(runs[0]["head.weight"], runs[2]["head.weight"])


def test_unknown_labels_add_nothing_to_the_loss():
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.tensor([[0, -1], [-1, -1], [2, 1], [-1, 0]])
    tagging_loss(logits, labels, GROUPS, 0.1).backward()
    assert logits.grad[1].abs().sum() == 0
    assert logits.grad[0, 3] == 0
    assert logits.grad[3, :3].abs().sum() == 0
    nothing = tagging_loss(logits, torch.full((4, 2), -1), GROUPS, 0.1)
    assert nothing.item() == 0


def test_loss_against_torch():
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[0, 0], [1, 1], [2, 1], [2, 0], [1, -1], [0, -1]])
    color = torch.nn.functional.cross_entropy(logits[:, :3], labels[:, 0], label_smoothing=0.1)
    bar = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[:4, 3], (1 - labels[:4, 1]).float() * 0.9 + 0.05
    )
    assert float(tagging_loss(logits, labels, GROUPS, 0.1)) == pytest.approx(
        float(color + bar), rel=1e-5
    )


def test_augmentation_of_nothing_mirrors_at_most():
    images = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    changed = augment(images, STILL, torch.Generator().manual_seed(1))
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(changed, images, strict=True)]
    mirrored = [
        torch.allclose(a, b.flip(2), atol=1e-5) for a, b in zip(changed, images, strict=True)
    ]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 0 < sum(same) < 16


def test_augmentation_leaves_colours_alone():
    colors = torch.rand(8, 3, 1, 1, generator=torch.Generator().manual_seed(0)) * 2 - 1
    limits = Augmentation(shift=0.2, zoom=0.2, angle=20, brightness=0.05, noise=0)
    changed = augment(colors.expand(8, 3, 8, 8), limits, torch.Generator().manual_seed(1))
    assert (changed - colors).abs().max() <= 0.1 + 1e-5


def test_infinite_loss_is_an_error():
    pixels, labels = make_pictures(32, seed=1)
    with pytest.raises(TrainingError, match=r"learning_rate"):
        train(pixels, labels, learning_rate=1e30)


def test_figures_of_an_attribute_without_known_pictures():
    labels = np.array([[0, -1], [1, -1]])
    assert set(attribute_figures(torch.zeros(2, 4), labels, GROUPS)) == {"color"}


def test_labels_that_both_networks_deny_lower_the_ceiling():
    sureness = torch.tensor([[5.0], [9.0], [8.0], [9.0]])  # the third label is denied
    one = torch.eye(4)[[0, 0, 1, 2]] * sureness  # colours red, red, green, blue; no bar anywhere
    other = torch.eye(4)[[0, 1, 1, 2]] * 9
    labels = np.array([[0, -1], [2, -1], [2, -1], [-1, -1]])
    ceilings = label_ceilings(one, other, labels, GROUPS)
    assert ceilings == {"color": pytest.approx({"accuracy": 2 / 3, "accuracy_surer_half": 1 / 2})}


def test_swapped_region_comes_with_its_label_and_nothing_else():
    images = torch.stack([torch.full((3, 20, 20), float(i)) for i in range(6)])
    labels = torch.tensor([[i, 10 + i] for i in range(6)])
    swap = RegionSwap(column=1, box=(0.25, 0.5, 0.75, 1.0), share=0.5)
    mixed, truth = swap_regions(images, labels, swap)
    assert truth.tolist() == [[0, 11], [1, 12], [2, 10], [3, 13], [4, 14], [5, 15]]
    assert mixed[0, :, 12:18, 7:13].unique().tolist() == [1.0]
    assert mixed[0, :, :9].unique().tolist() == [0.0]
    assert mixed[0, :, :, :4].unique().tolist() == [0.0]
    assert mixed[2, :, 12:18, 7:13].unique().tolist() == [0.0]
    assert torch.equal(mixed[3:], images[3:])
    assert images[0].unique().tolist() == [0.0]


def test_region_swap_undoes_a_hint():
    """Bars only on red grounds: a network then sees bars in red, unless they are swapped."""
    pixels, labels = make_pictures(600, seed=1)
    hinted = (labels[:, 0] == 0) == (labels[:, 1] == 0)
    pixels, labels = pixels[hinted], labels[hinted]
    pixels = np.where(pixels == 255, 160, pixels)  # bars that are harder to see than grounds
    swap = RegionSwap(column=1, box=(0.0, 0.3, 1.0, 0.7), share=1.0)
    seen = []
    for region_swap in (None, swap):
        network, _ = train(
            pixels, labels, augmentation=STILL, region_swap=region_swap, num_epochs=12
        )
        others, truth = make_pictures(300, seed=2)
        others = np.where(others == 255, 160, others)
        figures = attribute_figures(predict_logits(network, others, "cpu"), truth, GROUPS)
        seen.append(figures["bar"]["accuracy"])
    assert seen[0] < 0.7
    assert seen[1] > 0.85
