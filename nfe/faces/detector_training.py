"""Train the face detector on composites, and measure it."""

import copy
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nfe.errors import TrainingError
from nfe.faces.composites import Composite
from nfe.faces.detection import Face, overlaps
from nfe.faces.detector_network import STRIDE, UNIT_SIDE, DetectorNetwork
from nfe.images import images_from_pixels

__all__ = [
    "average_networks",
    "count_found",
    "detector_loss",
    "make_targets",
    "train_detector",
]

EYE_WEIGHT = 4.0  # eyes decide the angle of a face, and a small error of theirs turns it much
CORE = 0.08  # radius of a face's centre in the heat map, in its sides: nobody can tell it better
MIN_CORE = 1.0  # that radius in cells, at least
SPREAD = 0.06  # deviation of the slope around the centre, in sides
MIN_SPREAD = 0.6  # in cells


def make_targets(composites: Sequence[Composite]) -> tuple[Tensor, Tensor, Tensor]:
    """Paint what the network should answer.

    Args:
        composites: Pictures of one side S, a multiple of 64.

    Returns:
        Targets [N, 8, S/4, S/4] in the layout of `DetectorNetwork`, with the heat itself, 1 in
        the cells of a centre, instead of its logit, and NaN for eyes that are unknown; weights
        [N, S/4, S/4]: how much a cell counts for all but the heat; and as large, shares: how much
        of a face's centre a cell is, adding up to 1 per face.
    """
    side = composites[0].pixels.shape[0] // STRIDE
    targets = np.zeros((len(composites), 8, side, side), dtype=np.float32)
    weights = np.zeros((len(composites), side, side), dtype=np.float32)
    shares = np.zeros_like(weights)
    middles = np.arange(side) + 0.5
    for target, weight, share, composite in zip(targets, weights, shares, composites, strict=True):
        for box, eyes in zip(composite.boxes, composite.eyes, strict=True):
            length = float(box[2] - box[0])
            x, y = (box[:2] + box[2:]) / 2 / STRIDE  # centre, in cells
            x, y = np.clip([x, y], 0.5, side - 0.5)
            radius = max(CORE * length / STRIDE, MIN_CORE)
            deviation = max(SPREAD * length / STRIDE, MIN_SPREAD)
            away_x, away_y = (middles - x)[None, :], (middles - y)[:, None]
            beyond = np.clip(np.hypot(away_x, away_y) - radius, 0, None)
            bump = np.exp(-(beyond**2) / (2 * deviation**2))
            core = bump == 1
            share[core] = 1 / core.sum()
            target[0] = np.maximum(target[0], bump)
            near = (bump > 0.3) & (bump > weight)
            weight[near] = bump[near]
            target[1][near] = np.log(length / UNIT_SIDE)
            target[2][near] = np.broadcast_to(-away_x, near.shape)[near]
            target[3][near] = np.broadcast_to(-away_y, near.shape)[near]
            for channel, eye in enumerate(eyes):
                cells = middles[None, :] if channel % 2 == 0 else middles[:, None]
                offset = (eye - cells * STRIDE) / length
                target[4 + channel][near] = np.broadcast_to(offset, near.shape)[near]
    return torch.from_numpy(targets), torch.from_numpy(weights), torch.from_numpy(shares)


def detector_loss(grid: Tensor, targets: Tensor, weights: Tensor, shares: Tensor) -> Tensor:
    """Return the focal loss of the heat plus absolute errors of side, offset and eyes.

    Unknown eyes are left out. Each face counts as much, however many cells its centre has.

    Source: Law and Deng 2018 (CornerNet) for the penalty-reduced focal loss with exponents 2, 4.
    """
    heat, logits = targets[:, 0], grid[:, 0]
    probability = logits.sigmoid()
    log_yes, log_no = F.logsigmoid(logits), F.logsigmoid(-logits)
    positive = -((1 - probability) ** 2 * log_yes * shares).sum()
    negative = -((1 - heat) ** 4 * probability**2 * log_no).sum()  # nothing where the heat is 1
    num_faces = shares.sum().clamp(min=1)
    total = weights.sum().clamp(min=1e-6)
    side_error = ((grid[:, 1] - targets[:, 1]).abs() * weights).sum() / total
    offset_error = ((grid[:, 2:4] - targets[:, 2:4]).abs().sum(1) * weights).sum() / total
    known = weights * ~targets[:, 4].isnan()
    eye_error = (grid[:, 4:] - targets[:, 4:].nan_to_num()).abs().sum(1) * known
    eyes = eye_error.sum() / known.sum().clamp(min=1e-6)
    return (positive + negative) / num_faces + side_error + 0.3 * offset_error + EYE_WEIGHT * eyes


def train_detector(
    network: DetectorNetwork,
    make_batch: Callable[[], Sequence[Composite]],
    num_steps: int,
    learning_rate: float,
    weight_decay: float,
    bf16: bool,
    on_progress: Callable[[int, int, str], None],
) -> DetectorNetwork:
    """Train a network in place: AdamW, one rise and fall of the learning rate.

    Args:
        network: The network.
        make_batch: Makes the composites of the next step, all of one side.
        num_steps: Batches to train on.
        learning_rate: The highest.
        weight_decay: Of AdamW.
        bf16: Whether the network runs in bfloat16 autocast.
        on_progress: Told the step and the loss.

    Returns:
        The network, in eval mode.

    Raises:
        TrainingError: If the loss is no longer finite.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=num_steps, pct_start=0.1
    )
    network.train()
    smooth = 0.0
    for step in range(1, num_steps + 1):
        batch = make_batch()
        images = images_from_pixels(np.stack([composite.pixels for composite in batch]))
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            grid = network(images)
        loss = detector_loss(grid.float(), *make_targets(batch))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(
                f"loss must be finite, got {value} at step {step}; lower the learning rate"
            )
        smooth = value if step == 1 else 0.98 * smooth + 0.02 * value
        on_progress(step, num_steps, f"loss {smooth:.3f}")
    return network.eval()


def average_networks(
    networks: Sequence[DetectorNetwork], batches: Iterable[Tensor]
) -> DetectorNetwork:
    """Average the weights of networks of one descent; batch norms get the statistics anew.

    Args:
        networks: One after the other, each trained from the one before.
        batches: Typical images, [N, 3, H, W] each.

    Returns:
        A new network, in eval mode.

    Source: Izmailov et al. 2018 (stochastic weight averaging).
    """
    result = copy.deepcopy(networks[0])
    states = [network.state_dict() for network in networks]
    result.load_state_dict(
        {
            name: torch.stack([state[name] for state in states]).mean(0)
            if value.is_floating_point()
            else value
            for name, value in states[0].items()
        }
    )
    norms = [module for module in result.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    result.train()
    with torch.no_grad():
        for images in batches:
            result(images)
    return result.eval()


def count_found(faces: Sequence[Face], boxes: np.ndarray, min_overlap: float) -> tuple[int, int]:
    """Match found faces with true boxes, best score first, each box once.

    Args:
        faces: What a detector found, best first.
        boxes: True boxes, [K, 4].
        min_overlap: Least intersection over union of a match.

    Returns:
        The number of true boxes found and the number of faces that match none.
    """
    left = np.ones(len(boxes), dtype=bool)
    for face in faces:
        shared = np.where(left, overlaps(np.array(face.box), boxes), 0.0)
        if len(boxes) and shared.max() >= min_overlap:
            left[shared.argmax()] = False
    num_found = int((~left).sum())
    return num_found, len(faces) - num_found
