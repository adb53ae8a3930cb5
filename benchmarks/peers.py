"""Three ways to train a generator behind one interface: ours, the seed's recipe, a public peer.

* `Ours`: our networks under our trainer.
* `Seed`: profiles/nfe64.yaml by its authors' loop: a pass through G for each of the two losses,
  no penalty, no averaging. Its binary cross-entropy on a sigmoid is our logistic loss on logits.
* `Peer`: stylegan2_pytorch 1.9.0 (lucidrains) at its command line's defaults: batches of 5, six of
  them a step, hinge loss, a gradient penalty at real and generated images every 4 steps, no
  augmentation. Networks, losses and optimisers are the package's; the loop is ours because its
  Trainer needs CUDA. Its path length penalty begins after 5,000 steps and its averaged generator is
  a copy of the generator before 25,000, so the loop here ends at 5,000 and samples from G.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from unittest import mock

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import Tensor, nn

from nfe.errors import NFEError
from nfe.gan.losses import discriminator_loss, generator_loss
from nfe.gan.training import GanTrainer
from nfe.images import images_from_pixels, pixels_from_images
from nfe.metrics.inception import import_torchvision
from nfe.sampling import sample_batches, z_from_seeds
from tasks.gan_parts import Params, build_features, build_networks, training_settings

__all__ = ["Method", "Ours", "Peer", "Seed", "gan_params", "import_peer", "num_parameters"]

ROOT = Path(__file__).parents[1]
SAMPLE_BATCH = 100
PEER_BATCH = 5
PEER_ACCUMULATED = 6  # batches per step
PEER_PENALTY_INTERVAL = 4
PEER_MAX_STEPS = 5000
PEER_INSTALL = (
    "pip install -e '.[bench]' && pip install --no-deps stylegan2_pytorch==1.9.0 "
    "vector-quantize-pytorch==0.1.0"
)


class Method(Protocol):
    """A way to train.

    Attributes:
        batch_size: Images per step.
        cycle: Steps after which everything that is not done every step has been done once.
    """

    batch_size: int
    cycle: int

    def step(self) -> None:
        """Train both networks once."""

    def sample(self, count: int) -> np.ndarray:
        """Return pixels [count, H, W, 3] of fresh codes, without truncation."""

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Return generator (with its mapping) and discriminator."""


def num_parameters(network: nn.Module) -> int:
    """Return how many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def gan_params(profile: str | None, **changes: Any) -> Params:
    """Return section train_gan of params.yaml with a profile's values and then `changes`."""
    read = YAML(typ="safe").load
    values = read(ROOT / "params.yaml")["train_gan"]
    if profile is not None:
        values |= read(ROOT / "profiles" / f"{profile}.yaml")["train_gan"]
    return Params.model_validate(values | changes)


class Ours:
    """Our networks under our trainer."""

    def __init__(self, pixels: np.ndarray, params: Params, device: str) -> None:
        networks = build_networks(params, pixels.shape[1])
        settings = training_settings(params, device)
        features = build_features(params, pixels, device)
        self.trainer = GanTrainer(pixels, *networks, features, settings, params.seed, device)
        self.batch_size, self.cycle = params.batch_size, params.r1_interval
        self.device = device

    def step(self) -> None:
        """Train both networks once."""
        self.trainer.train_step()

    def sample(self, count: int) -> np.ndarray:
        """Return pixels [count, H, W, 3] of the averaged generator."""
        generator = self.trainer.generator_ema
        batches = sample_batches(generator, range(count), SAMPLE_BATCH, 1.0, self.device)
        return np.concatenate([pixels_from_images(images) for _, _, images in batches])

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Return generator and discriminator."""
        return self.trainer.generator, self.trainer.discriminator


class Seed:
    """Neural Face Editor's networks and loop."""

    def __init__(self, pixels: np.ndarray, params: Params, device: str) -> None:
        self.pixels, self.device = pixels, device
        generator, discriminator = build_networks(params, pixels.shape[1])
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        rate, (beta1, beta2) = params.growth[-1].learning_rate, params.adam_betas
        self.generator_optimiser = torch.optim.Adam(
            self.generator.parameters(), rate, (beta1, beta2)
        )
        self.discriminator_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), rate, (beta1, beta2)
        )
        self.batch_size, self.cycle = params.batch_size, 1
        self.random = np.random.default_rng(params.seed)

    def step(self) -> None:
        """Train D on real and fresh images, then G on other fresh images."""
        index = self.random.integers(0, len(self.pixels), self.batch_size)
        reals = images_from_pixels(self.pixels[index]).to(self.device)
        fakes = self.generator(self._codes()).detach()
        loss = discriminator_loss(self.discriminator(reals), self.discriminator(fakes))
        _descend(self.discriminator_optimiser, loss)
        loss = generator_loss(self.discriminator(self.generator(self._codes())))
        _descend(self.generator_optimiser, loss)

    def sample(self, count: int) -> np.ndarray:
        """Return pixels [count, H, W, 3] of the generator."""
        batches = sample_batches(self.generator, range(count), SAMPLE_BATCH, 1.0, self.device)
        return np.concatenate([pixels_from_images(images) for _, _, images in batches])

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Return generator and discriminator."""
        return self.generator, self.discriminator

    def _codes(self) -> Tensor:
        return torch.randn(self.batch_size, self.generator.z_dim, device=self.device)


class Peer:
    """The package's networks, losses and optimisers under the steps of its Trainer.

    Raises:
        NFEError: If the package is not installed, or when a run reaches its path length penalty.
    """

    def __init__(self, pixels: np.ndarray, device: str) -> None:
        self.package = import_peer()
        with mock.patch.object(nn.Module, "cuda", lambda module, *_: module):
            self.gan = self.package.StyleGAN2(pixels.shape[1], lr=2e-4, ttur_mult=1.5).to(device)
        self.pixels, self.device = pixels, device
        self.batch_size, self.cycle = PEER_BATCH * PEER_ACCUMULATED, PEER_PENALTY_INTERVAL
        self.num_steps = 0
        self.random = np.random.default_rng(1)

    def step(self) -> None:
        """Train D on six batches, then G on six others."""
        if self.num_steps == PEER_MAX_STEPS:
            raise NFEError(f"the peer's run must end by step {PEER_MAX_STEPS}; train for less time")
        gan, package = self.gan, self.package
        penalised = self.num_steps % PEER_PENALTY_INTERVAL == 0
        gan.D_opt.zero_grad()
        for _ in range(PEER_ACCUMULATED):
            with torch.no_grad():
                fakes = self._fakes()
            fakes.requires_grad_(penalised)
            reals = self._reals().requires_grad_(penalised)
            fake_logits, real_logits = gan.D_aug(fakes)[0], gan.D_aug(reals)[0]
            loss = package.hinge_loss(fake_logits, real_logits)
            if penalised:
                loss = loss + package.gradient_penalty(reals, real_logits)
                loss = loss + package.gradient_penalty(fakes, fake_logits)
            (loss / PEER_ACCUMULATED).backward()
        gan.D_opt.step()
        gan.G_opt.zero_grad()
        for _ in range(PEER_ACCUMULATED):
            loss = package.gen_hinge_loss(gan.D_aug(self._fakes())[0], None)
            (loss / PEER_ACCUMULATED).backward()
        gan.G_opt.step()
        self.num_steps += 1

    def sample(self, count: int) -> np.ndarray:
        """Return pixels [count, H, W, 3] of the generator."""
        gan, parts = self.gan, []
        for start in range(0, count, SAMPLE_BATCH):
            seeds = range(start, min(start + SAMPLE_BATCH, count))
            z = z_from_seeds(seeds, gan.G.latent_dim).to(self.device)
            with torch.no_grad():
                styles = gan.S(z)[:, None].expand(-1, gan.G.num_layers, -1)
                parts.append(pixels_from_images(gan.G(styles, self._noise(len(z))) * 2 - 1))
        return np.concatenate(parts)

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Return generator (with its mapping) and discriminator."""
        return nn.ModuleList([self.gan.S, self.gan.G]), self.gan.D

    def _reals(self) -> Tensor:
        index = self.random.integers(0, len(self.pixels), PEER_BATCH)
        images = (
            images_from_pixels(self.pixels[index]).to(self.device).contiguous()
        )  # as its loader
        return (images + 1) / 2  # its range is 0 to 1

    def _fakes(self) -> Tensor:
        """Images of fresh codes; nine batches of ten take a second code from some layer on."""
        num_layers = self.gan.G.num_layers
        first = num_layers
        if self.random.random() < 0.9:
            first = int(self.random.random() * num_layers)
        parts = []
        for repeats in (first, num_layers - first):
            if repeats:
                z = torch.randn(PEER_BATCH, self.gan.G.latent_dim, device=self.device)
                parts.append(self.gan.S(z)[:, None].expand(-1, repeats, -1))
        return self.gan.G(torch.cat(parts, dim=1), self._noise(PEER_BATCH))

    def _noise(self, count: int) -> Tensor:
        side = self.gan.G.image_size
        return torch.rand(count, side, side, 1, device=self.device)


def import_peer() -> ModuleType:
    """Import stylegan2_pytorch on a machine without CUDA and without its experiment logger.

    Raises:
        NFEError: If it is not installed.
    """
    import_torchvision()
    try:
        importlib.import_module("kornia.filters")  # before torch is told of a CUDA it has not
        with mock.patch("torch.cuda.is_available", return_value=True):
            sys.modules.setdefault("aim", ModuleType("aim"))
            return importlib.import_module("stylegan2_pytorch.stylegan2_pytorch")
    except ImportError as error:
        raise NFEError(
            f"stylegan2_pytorch must be installed, got: {error}; run: {PEER_INSTALL}"
        ) from error


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
