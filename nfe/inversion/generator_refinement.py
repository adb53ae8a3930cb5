"""A small change of the generator for one picture, around the picture's code.

Every convolution of the synthesis gets a change of low rank, W + left @ right, which is stored
beside the code and applied when the picture is made: the generator itself stays as it is.

Source: Roich et al. 2022 (PTI): the generator is tuned around a code that stays fixed; Hu et al.
2022 (LoRA): the change is of low rank and begins at zero. We differ from PTI in two ways: the
change is two thin matrices per convolution and not a whole generator, and it belongs to one
picture. PTI's locality term, that other codes' pictures stay as they are, is what keeps edits of
the code effective.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from nfe.gan.networks import Generator
from nfe.inversion.descent import minimise
from nfe.inversion.losses import FeatureMaps
from nfe.inversion.restoration import observed_distance

__all__ = ["GeneratorChange", "refine_generator", "start_change", "synthesise_changed"]


@dataclass(frozen=True)
class GeneratorChange:
    """What is added to the weights of the convolutions for one picture.

    Attributes:
        lefts: Name of a weight in the synthesis -> [num_out, rank].
        rights: Name -> [rank, num_in * kernel * kernel].
    """

    lefts: dict[str, Tensor]
    rights: dict[str, Tensor]

    @property
    def num_bytes(self) -> int:
        """Size of all values."""
        return sum(t.nbytes for t in (*self.lefts.values(), *self.rights.values()))


def start_change(generator: Generator, rank: int, random: torch.Generator) -> GeneratorChange:
    """Return a change that adds nothing yet: lefts are zero, rights are drawn.

    Args:
        generator: Of either architecture.
        rank: Directions per convolution; a matrix with fewer rows takes as many as it has.
        random: Draws the rights, N(0, 1), on the CPU.

    Raises:
        ValueError: If `rank` is below 1.
    """
    if rank < 1:
        raise ValueError(f"rank must be at least 1, got {rank}")
    lefts, rights = {}, {}
    for name, weight in _convolutions(generator).items():
        num_out, num_in = weight.flatten(1).shape
        own_rank = min(rank, num_out)
        lefts[name] = weight.new_zeros(num_out, own_rank)
        rights[name] = torch.randn(own_rank, num_in, generator=random).to(weight.device)
    return GeneratorChange(lefts, rights)


def synthesise_changed(w_plus: Tensor, change: GeneratorChange, generator: Generator) -> Tensor:
    """Make pictures of codes [N, num_ws, w_dim] with changed weights: [N, 3, H, W]."""
    weights = {
        name: weight + (change.lefts[name] @ change.rights[name]).view_as(weight)
        for name, weight in _convolutions(generator).items()
    }
    images: Tensor = functional_call(generator.synthesis, weights, (w_plus,))
    return images


def refine_generator(
    image: Tensor,
    w_plus: Tensor,
    generator: Generator,
    feature_maps: FeatureMaps,
    rank: int,
    num_steps: int,
    learning_rate: float,
    pixel_weight: float,
    perceptual_weight: float,
    locality_weight: float,
    locality_reach: float,
    min_progress: float,
    random: torch.Generator,
    on_progress: Callable[[int, int, str], None],
) -> GeneratorChange:
    """Find the change that lets one code make one picture.

    It minimises d(G'(w), x) + locality d(G'(v), G(v)), v = w + reach (mapping(z) - w), with a fresh
    z at every step; d is the distance of pixels and features, G' the changed generator.

    Args:
        image: The target, [1, 3, H, W].
        w_plus: Its code, which stays as it is, [1, num_ws, w_dim].
        generator: Frozen generator.
        feature_maps: Frozen features for the perceptual term.
        rank: Directions per convolution.
        num_steps: Steps of Adam.
        learning_rate: At the first step; weights are N(0, 1).
        pixel_weight: Of the mean squared difference of pixels.
        perceptual_weight: Of the distance of feature maps.
        locality_weight: Of the distance that other codes' pictures move; 0 for no such term.
        locality_reach: How far the other codes lie, as a share of the way to a sampled one.
        min_progress: Share by which its loss must fall in five steps for the picture to go on;
            0 for always.
        random: Draws where the change begins, and z, on the CPU.
        on_progress: Called with steps done, in all, and a note.

    Raises:
        TrainingError: If a loss is NaN or infinite.
        ValueError: If `rank` is below 1.
    """
    start = start_change(generator, rank, random)
    names = list(start.lefts)
    distance = observed_distance(image, _as_is, feature_maps, pixel_weight, perceptual_weight)

    def change_of(values: Sequence[Tensor]) -> GeneratorChange:
        """Read the change of the one image from tensors with a batch dimension."""
        alone = [value[0] for value in values]
        lefts, rights = alone[: len(names)], alone[len(names) :]
        return GeneratorChange(
            dict(zip(names, lefts, strict=True)), dict(zip(names, rights, strict=True))
        )

    def loss_of(values: Sequence[Tensor]) -> Tensor:
        change = change_of(values)
        if not locality_weight:
            return distance(synthesise_changed(w_plus, change, generator))
        z = torch.randn(1, generator.z_dim, generator=random).to(image.device)
        with torch.no_grad():
            other = w_plus.lerp(generator.broadcast(generator.mapping(z)), locality_reach)
            before = generator.synthesis(other)
        own, after = synthesise_changed(torch.cat([w_plus, other]), change, generator).chunk(2)
        moved = observed_distance(before, _as_is, feature_maps, pixel_weight, perceptual_weight)
        return distance(own) + locality_weight * moved(after)

    found = minimise(
        [tensor[None] for tensor in (*start.lefts.values(), *start.rights.values())],
        lambda _: loss_of,
        num_steps,
        learning_rate,
        min_progress,
        on_progress,
    )
    return change_of(found)


def _as_is(images: Tensor) -> Tensor:
    return images


def _convolutions(generator: Generator) -> dict[str, Tensor]:
    """Return the weights of all convolutions of the synthesis by name, [out, in, k, k] each."""
    weights = generator.synthesis.named_parameters()
    return {name: each for name, each in weights if name.endswith("weight") and each.ndim == 4}
