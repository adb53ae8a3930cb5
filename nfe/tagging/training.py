"""Training a tagger network on pictures whose labels are partly unknown and partly wrong."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from nfe.errors import TrainingError
from nfe.images import images_from_pixels
from nfe.tagging.groups import Group, log_probabilities, tags_of
from nfe.tagging.network import TaggerNetwork

__all__ = [
    "Augmentation",
    "RegionSwap",
    "augment",
    "predict_logits",
    "swap_regions",
    "tagging_loss",
    "train_tagger_network",
]

OnProgress = Callable[[int, int, str], None]
WARM_UP = 0.05  # share of the steps in which the learning rate rises
MEASURE_BATCH = 250
SWAP_BORDER = 0.05  # share of the side over which a swapped region fades out


@dataclass(frozen=True)
class Augmentation:
    """How far pictures are changed while training; none of it turns one colour into another.

    Attributes:
        shift: Greatest shift, as a share of the side.
        zoom: Greatest change of size: 0.1 is 0.9 to 1.1 times.
        angle: Greatest rotation, in degrees.
        brightness: Greatest change of all levels, and of contrast, as a share of the range.
        noise: Greatest standard deviation of noise, in units of [-1, 1].
    """

    shift: float
    zoom: float
    angle: float
    brightness: float
    noise: float


@dataclass(frozen=True)
class RegionSwap:
    """A region that pictures take from one another while training, with its label (CutMix).

    Where two attributes go together, a network learns to read the one from the other: blue hair
    makes it see blue eyes. With the eyes of another picture, hair says nothing about them.

    Attributes:
        column: The group that the region shows.
        box: Left, top, right and bottom of the region, as shares of the side.
        share: Share of the pictures that take it from another.
    """

    column: int
    box: tuple[float, float, float, float]
    share: float


def train_tagger_network(
    pixels: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[Group],
    *,
    width: int,
    num_epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    label_smoothing: float,
    augmentation: Augmentation,
    region_swap: RegionSwap | None,
    seed: int,
    bf16: bool,
    device: str,
    on_progress: OnProgress,
) -> tuple[TaggerNetwork, list[tuple[int, float]]]:
    """Train a network: AdamW, a warm-up, then a cosine to zero.

    Args:
        pixels: uint8, [N, R, R, 3]. R is the network's resolution.
        labels: Index of the value per group, [N, G], -1 where it is not known.
        groups: The G groups.
        width: Channels of the first layer.
        num_epochs: How often each picture is shown.
        batch_size: Pictures per step.
        learning_rate: The greatest.
        weight_decay: Of the weights of convolutions and head, not of norms and biases.
        label_smoothing: Share of a label that is spread over all values of its attribute.
        augmentation: Limits of random changes; half of the pictures are mirrored.
        region_swap: What pictures take from one another before that, or None.
        seed: Decides the first weights, the order and the changes.
        bf16: Whether the network runs in bfloat16 autocast.
        device: Where to train.
        on_progress: Called with (steps done, steps, note).

    Returns:
        The network in eval mode, and the curve: (pictures shown, mean loss) per epoch.

    Raises:
        TrainingError: If the loss is NaN or infinite.
    """
    generator = torch.Generator().manual_seed(seed)
    network = _new_network(pixels.shape[1], width, len(tags_of(groups)), seed).train()
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16)
    optimizer = torch.optim.AdamW(_parameter_groups(network, weight_decay), lr=learning_rate)
    batch_size = min(batch_size, len(pixels))
    num_batches = len(pixels) // batch_size
    num_steps = num_epochs * num_batches
    targets = torch.from_numpy(labels)
    curve: list[tuple[int, float]] = []
    for epoch in range(num_epochs):
        order = torch.randperm(len(pixels), generator=generator)
        losses = []
        for number, batch in enumerate(order[: num_batches * batch_size].split(batch_size)):
            step = epoch * num_batches + number
            for parameters in optimizer.param_groups:
                parameters["lr"] = learning_rate * _schedule(step, num_steps)
            images, truth = images_from_pixels(pixels[batch.numpy()]), targets[batch]
            if region_swap is not None:
                images, truth = swap_regions(images, truth, region_swap)
            images = augment(images, augmentation, generator)
            with autocast:
                logits = network(images.to(device, memory_format=torch.channels_last))
            loss = tagging_loss(logits.float(), truth.to(device), groups, label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                raise TrainingError(
                    f"loss of the tagger must be finite, got {losses[-1]} at step {step}; "
                    "lower train_tagger.learning_rate"
                )
            on_progress(step + 1, num_steps, f"loss {losses[-1]:.3f}")
        curve.append(((epoch + 1) * num_batches * batch_size, float(np.mean(losses))))
    return network.eval(), curve


def tagging_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    groups: Sequence[Group],
    label_smoothing: float,
) -> torch.Tensor:
    """Sum the groups' cross entropies, each the mean over the pictures whose value is known.

    Args:
        logits: [N, T].
        labels: [N, G], -1 where the value is not known: such a picture adds nothing.
        groups: The G groups.
        label_smoothing: Share of a label that is spread over all values of the group.
    """
    total = logits.sum() * 0
    for column, scores in enumerate(log_probabilities(logits, groups)):
        truth = labels[:, column]
        known = truth >= 0
        chosen = scores.gather(1, truth.clamp(min=0)[:, None])[:, 0]
        target = (1 - label_smoothing) * chosen + label_smoothing * scores.mean(dim=1)
        total = total - (target * known).sum() / known.sum().clamp(min=1)
    return total


def swap_regions(
    images: torch.Tensor, labels: torch.Tensor, swap: RegionSwap
) -> tuple[torch.Tensor, torch.Tensor]:
    """Let the first pictures of a shuffled batch take a region, and its label, from the next one.

    Args:
        images: [N, 3, H, W].
        labels: [N, G].
        swap: Which region; round(share N) pictures take it, each from the next of them.

    Returns:
        Images and labels, of the same shapes.
    """
    count = round(swap.share * len(images))
    givers = torch.arange(count).roll(-1)
    left, top, right, bottom = swap.box
    mask = _ramp(images.shape[2], top, bottom)[:, None] * _ramp(images.shape[3], left, right)
    mixed, truth = images.clone(), labels.clone()
    mixed[:count] = images[:count].lerp(images[givers], mask)
    truth[:count, swap.column] = labels[givers, swap.column]
    return mixed, truth


def _ramp(side: int, low: float, high: float) -> torch.Tensor:
    """1 between two shares of a side, 0 outside, with soft borders around them, [side]."""
    place = (torch.arange(side) + 0.5) / side
    return torch.minimum(place - low, high - place).div(SWAP_BORDER).add(0.5).clamp(0, 1)


def augment(images: torch.Tensor, limits: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Mirror, turn, zoom, shift, lighten and roughen each image by its own random amounts.

    Args:
        images: [N, 3, H, W], on the CPU.
        limits: Greatest amounts.
        generator: Decides them.
    """
    count = len(images)

    def spread(limit: float) -> torch.Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle, scale = spread(math.radians(limits.angle)), 1 + spread(limits.zoom)
    mirror = torch.randint(0, 2, (count,), generator=generator) * 2.0 - 1
    rows = [
        torch.stack([mirror * scale * angle.cos(), -scale * angle.sin(), spread(2 * limits.shift)]),
        torch.stack([mirror * scale * angle.sin(), scale * angle.cos(), spread(2 * limits.shift)]),
    ]
    theta = torch.stack(rows).permute(2, 0, 1)  # [N, 2, 3]
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    contrast, offset = 1 + spread(limits.brightness), spread(limits.brightness)
    images = images * contrast[:, None, None, None] + offset[:, None, None, None]
    noise = torch.randn(images.shape, generator=generator)
    return images + noise * spread(limits.noise)[:, None, None, None]


def predict_logits(network: TaggerNetwork, pixels: np.ndarray, device: str) -> torch.Tensor:
    """Return the logits of pixels [N, R, R, 3], on the CPU, [N, T]."""
    with torch.inference_mode():
        parts = [
            network(images_from_pixels(pixels[i : i + MEASURE_BATCH]).to(device)).cpu()
            for i in range(0, len(pixels), MEASURE_BATCH)
        ]
    return torch.cat(parts)


def _new_network(resolution: int, width: int, num_tags: int, seed: int) -> TaggerNetwork:
    """Make a network whose first weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TaggerNetwork(resolution, width, num_tags)


def _parameter_groups(network: TaggerNetwork, weight_decay: float) -> list[dict[str, object]]:
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _schedule(step: int, num_steps: int) -> float:
    """Return the share of the greatest learning rate at a step: up in a line, down a cosine."""
    warm_up = max(1.0, WARM_UP * num_steps)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(num_steps - warm_up, 1)))
