"""The ways to invert pictures that evaluate_encoder compares: their settings, and what they do.

Every method makes codes of w_plus, which can be edited, and a way to make pictures of them.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from nfe.errors import ParamsError
from tasks.refinement import Refinement, Weight, encode, refine_codes
from tasks.stage import Progress, StageParams

if TYPE_CHECKING:
    from torch import Tensor

    from nfe.gan.networks import Generator
    from nfe.inversion.encoders import Encoder
    from nfe.inversion.losses import FeatureMaps

__all__ = [
    "Blurred",
    "GeneratorRefinement",
    "Inversion",
    "Material",
    "Method",
    "MethodSettings",
    "MultiCode",
    "invert_by_all",
]

Method = Literal["in_domain", "image2stylegan", "nfe_z", "mganprior", "generator_refinement"]
Rate = Annotated[float, Field(gt=0, le=10, strict=False)]
Steps = Annotated[int, Field(ge=0, le=100_000)]
FLOAT_BYTES = 4
STAGE = "evaluate_encoder"


class Blurred(StageParams):
    """Settings of nfe_z; see nfe.inversion.blurred.optimise_z."""

    num_steps: Steps
    learning_rate: Rate
    blur_kernel: Annotated[int, Field(ge=1, le=31)]
    blur_sigma: Annotated[float, Field(gt=0, le=1000, strict=False)]
    prior_weight: Weight

    @field_validator("blur_kernel")
    @classmethod
    def check_kernel(cls, kernel: int) -> int:
        """Check that the window has a middle."""
        if kernel % 2 == 0:
            raise ValueError(f"must be odd, got {kernel}")
        return kernel


class MultiCode(StageParams):
    """Settings of mganprior; see nfe.inversion.multicode."""

    num_codes: Annotated[int, Field(ge=1, le=1000)]
    layer: Annotated[int, Field(ge=2, le=100)]
    spread: Annotated[float, Field(ge=0, le=10, strict=False)]
    num_steps: Steps
    learning_rate: Rate
    pixel_weight: Weight
    perceptual_weight: Weight


class GeneratorRefinement(StageParams):
    """Settings of generator_refinement; see nfe.inversion.generator_refinement."""

    rank: Annotated[int, Field(ge=1, le=512)]
    num_steps: Steps
    learning_rate: Rate
    pixel_weight: Weight
    perceptual_weight: Weight


@dataclass(frozen=True)
class MethodSettings:
    """Settings of every method.

    Attributes:
        in_domain: From the encoder's codes.
        image2stylegan: From the mean code; its domain weight is 0.
        nfe_z: From the sampled z nearest to the encoder's answer.
        mganprior: From the encoder's codes.
        generator_refinement: Around the encoder's codes.
        batch_size: Images at a time.
        seed: Of what a method draws.
    """

    in_domain: Refinement
    image2stylegan: Refinement
    nfe_z: Blurred
    mganprior: MultiCode
    generator_refinement: GeneratorRefinement
    batch_size: int
    seed: int


@dataclass(frozen=True)
class Material:
    """What the methods work with.

    Attributes:
        images: The pictures, [N, 3, H, W].
        generator: Frozen generator.
        encoders: Name of a row -> encoder; the first is the one that others start from.
        feature_maps: Of the perceptual terms.
        z: Sampled codes, [M, z_dim].
        w: The same, mapped, [M, w_dim].
    """

    images: "Tensor"
    generator: "Generator"
    encoders: "Mapping[str, Encoder]"
    feature_maps: "FeatureMaps"
    z: "Tensor"
    w: "Tensor"


@dataclass(frozen=True)
class Inversion:
    """What one method made of N pictures.

    Attributes:
        w_plus: Codes, [N, num_ws, w_dim]; of several codes per layer, their mean.
        synthesise: Codes [M, num_ws, w_dim], these or edited ones, and which pictures they are
            of, [M] -> images, [M, 3, H, W].
        num_bytes: What is stored of one picture.
        seconds: For all pictures.
        encoder: Whose answer the codes are, without any optimisation.
    """

    w_plus: "Tensor"
    synthesise: "Callable[[Tensor, Tensor], Tensor]"
    num_bytes: int
    seconds: float = 0.0
    encoder: "Encoder | None" = None


def invert_by_all(
    material: Material, methods: list[Method], settings: MethodSettings
) -> Iterator[tuple[str, Inversion]]:
    """Invert the pictures by every encoder and every method named, one after the other.

    Raises:
        ModelFileError: If the generator's architecture does not fit a method.
        ParamsError: If a setting does not fit the generator.
    """
    ways: dict[str, Callable[[Material, MethodSettings], Inversion]] = {
        "in_domain": _in_domain,
        "image2stylegan": _image2stylegan,
        "nfe_z": _nfe_z,
        "mganprior": _mganprior,
        "generator_refinement": _generator_refinement,
    }
    for name, encoder in material.encoders.items():
        encode(encoder, material.images[:4], 4)  # what the first call alone costs is not its own
        started = time.monotonic()
        inversion = _of_codes(material, encode(encoder, material.images, settings.batch_size))
        yield name, replace(inversion, seconds=time.monotonic() - started, encoder=encoder)
    for method in methods:
        started = time.monotonic()
        inversion = ways[method](material, settings)
        yield method, replace(inversion, seconds=time.monotonic() - started)


def _start(material: Material, settings: MethodSettings) -> "Tensor":
    """Return the codes of the first encoder."""
    encoder = next(iter(material.encoders.values()))
    return encode(encoder, material.images, settings.batch_size)


def _of_codes(material: Material, w_plus: "Tensor", num_values: int | None = None) -> Inversion:
    """Make an inversion whose pictures follow from w_plus alone, stored in that many values."""
    num_bytes = FLOAT_BYTES * (num_values or w_plus[0].numel())
    return Inversion(w_plus, lambda codes, _: material.generator.synthesis(codes), num_bytes)


def _refined(
    material: Material, start: "Tensor", refinement: Refinement, settings: MethodSettings
) -> Inversion:
    w_plus = refine_codes(
        material.images,
        start,
        material.generator,
        next(iter(material.encoders.values())),
        material.feature_maps,
        refinement,
        settings.batch_size,
        STAGE,
    )
    return _of_codes(material, w_plus)


def _in_domain(material: Material, settings: MethodSettings) -> Inversion:
    return _refined(material, _start(material, settings), settings.in_domain, settings)


def _image2stylegan(material: Material, settings: MethodSettings) -> Inversion:
    generator = material.generator
    mean = generator.broadcast(generator.w_avg.expand(len(material.images), -1))
    return _refined(material, mean, settings.image2stylegan, settings)


def _nfe_z(material: Material, settings: MethodSettings) -> Inversion:
    import torch

    from nfe.inversion.blurred import nearest_codes, optimise_z

    generator = material.generator
    start = material.z[nearest_codes(_start(material, settings), material.w)]
    parts = [
        optimise_z(images, z, generator, **settings.nfe_z.model_dump(), on_progress=Progress(STAGE))
        for images, z in zip(
            material.images.split(settings.batch_size),
            start.split(settings.batch_size),
            strict=True,
        )
    ]
    with torch.no_grad():
        w_plus = generator.broadcast(generator.mapping(torch.cat(parts))).contiguous()
    return _of_codes(material, w_plus, num_values=generator.z_dim)


def _mganprior(material: Material, settings: MethodSettings) -> Inversion:
    import torch

    from nfe.inversion.multicode import (
        MultiCodes,
        mean_codes,
        move_multicodes,
        optimise_multicodes,
        start_multicodes,
        synthesise_multicodes,
    )
    from nfe.inversion.restoration import observed_distance

    own, generator = settings.mganprior, material.generator
    if own.layer >= generator.num_ws:
        raise ParamsError(
            f"{STAGE}.mganprior.layer must be less than the generator's {generator.num_ws} layers, "
            f"got {own.layer}; lower it"
        )
    weights = own.pixel_weight, own.perceptual_weight
    parts = []
    for images, codes in zip(
        material.images.split(settings.batch_size),
        _start(material, settings).split(settings.batch_size),
        strict=True,
    ):
        random = torch.Generator().manual_seed(settings.seed)
        start = start_multicodes(codes, generator, own.num_codes, own.layer, own.spread, random)
        distance = observed_distance(images, lambda x: x, material.feature_maps, *weights)
        parts.append(
            optimise_multicodes(
                start,
                generator,
                lambda made, _, distance=distance: distance(made),  # type: ignore[misc]
                own.num_steps,
                own.learning_rate,
                Progress(STAGE),
            )
        )
    found = MultiCodes(
        torch.cat([part.first for part in parts]),
        torch.cat([part.rest for part in parts]),
        torch.cat([part.weights for part in parts]),
    )
    w_plus = mean_codes(found)

    def synthesise(codes: "Tensor", places: "Tensor") -> "Tensor":
        chosen = MultiCodes(found.first[places], found.rest[places], found.weights[places])
        return synthesise_multicodes(move_multicodes(chosen, codes - w_plus[places]), generator)

    num_values = sum(x[0].numel() for x in (found.first, found.rest, found.weights))
    return Inversion(w_plus, synthesise, FLOAT_BYTES * num_values)


def _generator_refinement(material: Material, settings: MethodSettings) -> Inversion:
    import torch

    from nfe.inversion.generator_refinement import refine_generator, synthesise_changed

    own = settings.generator_refinement.model_dump()
    w_plus, progress = _start(material, settings), Progress(STAGE)
    count, num_steps = len(w_plus), own["num_steps"]
    changes = []
    for i in range(count):

        def tell(done: int, _: int, note: str, before: int = i * num_steps) -> None:
            progress(before + done, count * num_steps, note)

        changes.append(
            refine_generator(
                material.images[i : i + 1],
                w_plus[i : i + 1],
                material.generator,
                material.feature_maps,
                **own,
                random=torch.Generator().manual_seed(settings.seed),
                on_progress=tell,
            )
        )

    def synthesise(codes: "Tensor", places: "Tensor") -> "Tensor":
        made = [
            synthesise_changed(code[None], changes[place], material.generator)
            for code, place in zip(codes, places.tolist(), strict=True)
        ]
        return torch.cat(made)

    return Inversion(w_plus, synthesise, FLOAT_BYTES * w_plus[0].numel() + changes[0].num_bytes)
