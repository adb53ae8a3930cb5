import numpy as np
import pytest
import torch

from nfe.errors import TrainingError
from nfe.faces.composites import Composite
from nfe.faces.detection import Face
from nfe.faces.detector_network import DetectorNetwork, decode
from nfe.faces.detector_training import (
    average_networks,
    count_found,
    detector_loss,
    make_targets,
    train_detector,
)

BOX, EYES = [20.0, 10.0, 60.0, 50.0], [33.0, 28.0, 47.0, 30.0]


def composite(boxes: list[list[float]], eyes: list[list[float]]) -> Composite:
    pixels = np.full((64, 64, 3), 128, dtype=np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = (250, 50, 50)
    shape = (-1, 4)
    return Composite(
        pixels,
        np.array(boxes, dtype=np.float32).reshape(shape),
        np.array(eyes, dtype=np.float32).reshape(shape),
    )


def test_targets_decode_to_the_true_face() -> None:
    targets, weights, shares = make_targets([composite([BOX], [EYES])])
    grid = targets.clone()
    grid[:, 0] = torch.logit(targets[:, 0], eps=1e-6)
    scores, boxes, eyes = decode(grid)
    near = weights.flatten(1) > 0
    assert int(near.sum()) >= 1
    assert torch.allclose(boxes[near], torch.tensor(BOX), atol=1e-3)
    assert torch.allclose(eyes[near], torch.tensor(EYES), atol=1e-3)
    assert int((scores > 0.5).sum()) == int((shares > 0).sum()) == 2  # on both sides of the centre


def test_the_centre_of_a_face_is_several_cells_that_count_as_one() -> None:
    eyes = np.full((2, 4), np.nan, dtype=np.float32)
    boxes = np.array([[2, 2, 242, 242], [244, 244, 256, 256]], dtype=np.float32)
    pixels = np.zeros((256, 256, 3), dtype=np.uint8)
    targets, _, shares = make_targets([Composite(pixels, boxes, eyes)])
    centre = shares[0] > 0
    assert (targets[0, 0][centre] == 1).all() and (targets[0, 0][~centre] < 1).all()
    rows, columns = (axis.float() for axis in torch.nonzero(centre[:50, :50], as_tuple=True))
    assert len(rows) > 10
    reach = 0.08 * 240 / 4  # in cells
    away = (rows + 0.5 - 122 / 4).hypot(columns + 0.5 - 122 / 4)
    assert float(away.max()) < reach < float(away.max()) + 1
    assert float(shares.sum()) == pytest.approx(2)
    assert float(shares[0, 50:, 50:].sum()) == pytest.approx(1)
    assert int((shares[0, 50:, 50:] > 0).sum()) > 1  # within a cell of it: also of a small one


def test_the_loss_of_a_true_answer_is_next_to_nothing_and_grows_with_errors() -> None:
    targets, weights, shares = make_targets([composite([BOX], [EYES]), composite([], [])])
    answer = targets.clone()
    answer[:, 0] = torch.where(targets[:, 0] == 1, 12.0, -12.0)
    right = float(detector_loss(answer, targets, weights, shares))
    assert right < 1e-3
    for channel, step in ((0, 20.0), (1, 0.5), (2, 0.5), (3, -0.5), (4, 0.2), (7, 0.2)):
        wrong = answer.clone()
        wrong[:, channel] += step
        assert float(detector_loss(wrong, targets, weights, shares)) > right + 0.05


def test_unknown_eyes_cost_nothing() -> None:
    targets, weights, shares = make_targets([composite([BOX], [[np.nan] * 4])])
    answer = targets.nan_to_num()
    other = answer.clone()
    other[:, 4:] += 100
    loss = detector_loss(answer, targets, weights, shares)
    assert torch.isfinite(loss)
    assert float(detector_loss(other, targets, weights, shares)) == pytest.approx(float(loss))


def test_training_lowers_the_loss_and_finds_a_red_square() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)

    def make_batch() -> list[Composite]:
        corners = rng.integers(0, 32, (8, 2))
        return [composite([[x, y, x + 32, y + 32]], [[np.nan] * 4]) for x, y in corners.tolist()]

    network = train_detector(
        DetectorNetwork(), make_batch, 60, 5e-3, 0.01, False, on_progress=lambda *_: None
    )
    assert not network.training
    (test,) = [composite([[8, 20, 40, 52]], [[np.nan] * 4])]
    images = torch.from_numpy(test.pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        scores, boxes, _ = decode(network(images))
    best = boxes[0, int(scores.argmax())].tolist()
    found, false = count_found([Face(tuple(best), 1.0)], test.boxes, 0.5)
    assert (found, false) == (1, 0)


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    network = DetectorNetwork()
    torch.nn.init.constant_(network.head[-1].weight, float("nan"))
    with pytest.raises(TrainingError, match="loss must be finite"):
        train_detector(
            network, lambda: [composite([BOX], [EYES])] * 2, 2, 1e-3, 0.0, False, lambda *_: None
        )


def test_each_true_box_is_found_once() -> None:
    boxes = np.array([[0, 0, 10, 10], [30, 30, 50, 50]])
    near, twice, away = (
        Face((0, 0, 10, 9), 0.9),
        Face((0, 1, 10, 10), 0.8),
        Face((70, 70, 80, 80), 0.7),
    )
    assert count_found([near, twice, away], boxes, 0.5) == (1, 2)
    assert count_found([], boxes, 0.5) == (0, 0)
    assert count_found([away], np.zeros((0, 4)), 0.5) == (0, 1)


def test_averaged_networks_have_mean_weights_and_statistics_of_the_batches() -> None:
    torch.manual_seed(0)
    networks = [DetectorNetwork(), DetectorNetwork()]
    batches = [torch.randn(2, 3, 64, 64), torch.randn(2, 3, 64, 64)]
    average = average_networks(networks, batches)
    assert not average.training
    weights = [dict(network.named_parameters()) for network in networks]
    for name, value in average.named_parameters():
        assert torch.allclose(value, (weights[0][name] + weights[1][name]) / 2)
    first = average.stem
    maps = [first.conv(images) for images in batches]
    mean = torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0)
    assert torch.allclose(first.norm.running_mean, mean, atol=1e-5)
    assert torch.equal(networks[0].stem.norm.running_mean, torch.zeros(24))  # left as they were
