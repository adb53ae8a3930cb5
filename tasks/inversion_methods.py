"""The ways to invert pictures that evaluate_encoder compares.

Every method makes codes of w_plus, which can be edited, and a way to make pictures of them.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from nfe.errors import ParamsError
from tasks.inversion_settings import Method, MethodSettings
from tasks.refinement import Refinement, encode, refine_codes
from tasks.stage import Progress, has_bf16

if TYPE_CHECKING:
    from torch import Tensor

    from nfe.gan.networks import Generator
    from nfe.inversion.encoders import Encoder
    from nfe.inversion.losses import FeatureMaps

__all__ = ["Inversion", "Material", "invert_by_all"]

FLOAT_BYTES = 4
STAGE = "evaluate_encoder"


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
    if methods:
        _in_domain(material, replace(settings, in_domain=_one_step(settings.in_domain)))
    for method in methods:
        started = time.monotonic()
        inversion = ways[method](material, settings)
        yield method, replace(inversion, seconds=time.monotonic() - started)


def _one_step(refinement: Refinement) -> Refinement:
    """Return the settings of a first step, whose preparations are no method's own cost."""
    return refinement.model_copy(update={"num_steps": 1})


def _start(material: Material, settings: MethodSettings) -> "Tensor":
    """Return the codes of the first encoder."""
    encoder = next(iter(material.encoders.values()))
    return encode(encoder, material.images, settings.batch_size)


def _of_codes(material: Material, w_plus: "Tensor", num_values: int | None = None) -> Inversion:
    """Make an inversion whose pictures follow from w_plus alone, stored in that many values."""
    num_bytes = FLOAT_BYTES * (num_values or w_plus[0].numel())
    return Inversion(w_plus, lambda codes, _: material.generator.synthesis(codes), num_bytes)


def _in_domain(material: Material, settings: MethodSettings) -> Inversion:
    w_plus = refine_codes(
        material.images,
        _start(material, settings),
        material.generator,
        next(iter(material.encoders.values())),
        material.feature_maps,
        settings.in_domain,
        settings.batch_size,
        STAGE,
    )
    return _of_codes(material, w_plus)


def _image2stylegan(material: Material, settings: MethodSettings) -> Inversion:
    from nfe.inversion.optimise import image2stylegan

    w_plus = image2stylegan(
        material.images,
        material.generator,
        material.feature_maps,
        **settings.image2stylegan.model_dump(),
        batch_size=settings.batch_size,
        bf16=has_bf16(str(material.images.device.type)),
        on_progress=Progress(STAGE),
    )
    return _of_codes(material, w_plus)


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

    def distance_of(images: "Tensor", rows: "Tensor") -> "Callable[[Tensor, MultiCodes], Tensor]":
        distance = observed_distance(images[rows], lambda x: x, material.feature_maps, *weights)
        return lambda made, _: distance(made)

    parts = []
    for images, codes in zip(
        material.images.split(settings.batch_size),
        _start(material, settings).split(settings.batch_size),
        strict=True,
    ):
        random = torch.Generator().manual_seed(settings.seed)
        start = start_multicodes(codes, generator, own.num_codes, own.layer, own.spread, random)
        parts.append(
            optimise_multicodes(
                start,
                generator,
                partial(distance_of, images),
                own.num_steps,
                own.learning_rate,
                own.min_progress,
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
