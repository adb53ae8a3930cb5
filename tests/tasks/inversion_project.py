"""A project folder with tiny random models: what the stages that invert pictures read."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nfe.files import atomic_folder, write_json, write_manifest, write_stored_zip
from nfe.gan.networks import Discriminator, Generator
from nfe.gan.storage import save_networks
from nfe.images import encode_png, pixels_from_images
from nfe.inversion.encoders import Encoder
from nfe.inversion.storage import save_encoder
from nfe.tagging.groups import Group
from nfe.tagging.network import TaggerNetwork
from nfe.weights import save_weights

IN_DOMAIN = {"pixel": 1.0, "perceptual": 0.5, "adversarial": 0.05, "latent": 0.1}
ENCODER_VALUES: dict[str, Any] = {
    "method": "in_domain",
    "baselines": [],
    "channel_base": 128,
    "channel_max": 16,
    "kimg": 0.08,
    "batch_size": 8,
    "num_samples": 4,
    "mixing_probability": 0.5,
    "mirror": True,
    "learning_rate": 0.001,
    "discriminator_learning_rate": 0.001,
    "weights": {
        "in_domain": IN_DOMAIN,
        "force_in_domain": IN_DOMAIN | {"latent_adversarial": 0.1},
        "e4e": {
            "pixel": 1.0,
            "perceptual": 0.5,
            "latent": 0.1,
            "similarity": 0.5,
            "delta": 0.01,
            "latent_adversarial": 0.1,
        },
        "plain": {"pixel": 1.0},
    },
    "adversarial_interval": 2,
    "r1_gamma": 1.0,
    "r1_interval": 2,
    "latent_discriminator": {
        "learning_rate": 0.001,
        "r1_gamma": 1.0,
        "r1_interval": 2,
        "pool_size": 20,
    },
    "first_release": 0.3,
    "release_interval": 0.1,
    "vgg16_weights": None,
    "search_directions": {"num_directions": 40, "num_samples": 64, "damping": 0.01},
    "precision": "fp32",
    "checkpoint_steps": 4,
    "seed": 1,
}
OPTIMISATION = {
    "num_steps": 10,
    "learning_rate": 0.05,
    "pixel_weight": 1.0,
    "perceptual_weight": 0.5,
    "min_progress": 0.0,
}
REFINEMENT = OPTIMISATION | {"learning_rate": 0.5, "domain_weight": 0.1}


def make_project(root: Path, with_encoder: bool) -> Generator:
    """Write generator, discriminator, taggers, faces and, if asked, an encoder under `root`."""
    torch.manual_seed(0)
    generator = Generator(
        resolution=16,
        z_dim=16,
        w_dim=16,
        num_mapping_layers=2,
        channel_base=128,
        channel_max=16,
        architecture="stylegan2",
    )
    with torch.no_grad():
        for output in generator.synthesis.to_rgb:  # fresh generators are grey
            output.weight.normal_(std=0.5)
        w = generator.mapping(torch.randn(500, 16))
        generator.w_avg.copy_(w.mean(dim=0))
    discriminator = Discriminator(resolution=16, channel_base=128, channel_max=16)
    save_networks(root / "data" / "train_gan" / "model", generator, discriminator)
    for name in ("tagger", "judge"):
        write_tagger_weights(root / "data" / "train_tagger" / name)
    for name, count in (("dataset", 24), ("holdout", 12)):
        faces = generator(torch.randn(count, 16)).detach()
        write_faces(root / "data" / "curate" / f"{name}.zip", faces)
    if with_encoder:
        encoder = Encoder(
            resolution=16,
            channel_base=128,
            channel_max=16,
            num_ws=6,
            w_dim=16,
            num_directions=96,
        )
        encoder.centre_on(w)
        encoder.search_along(0.1 * torch.eye(96).view(96, 6, 16))
        save_encoder(root / "data" / "train_encoder" / "model", encoder)
    return generator


def write_tagger_weights(folder: Path) -> None:
    """Write what load_tagger_network reads, without the costly ONNX file."""
    network = TaggerNetwork(resolution=16, width=4, num_tags=3)
    group = Group("hair_color", ("blue", "pink", "grey"), ("blue_hair", "pink_hair", "grey_hair"))
    with atomic_folder(folder) as partial:
        save_weights(partial / "tagger.safetensors", network)
        write_json(partial / "tagger.json", {"network": network.config, "groups": [asdict(group)]})
        write_manifest(partial)


def write_faces(path: Path, images: Tensor) -> None:
    """Write images as the zip of a data set."""
    members = [
        (f"{index:03d}.png", encode_png(pixels))
        for index, pixels in enumerate(pixels_from_images(images))
    ]
    write_stored_zip(path, [*members, ("dataset.json", b'{"labels": null}')])
