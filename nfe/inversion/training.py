"""Training of the encoder in the domain of a fixed generator, resumable to the byte."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nfe.errors import TrainingError
from nfe.gan.checkpoints import load_latest_checkpoint, save_checkpoint
from nfe.gan.losses import discriminator_loss, generator_loss, r1_penalty
from nfe.gan.networks import Discriminator, Generator
from nfe.inversion.batches import draw_codes, draw_images
from nfe.inversion.encoders import Encoder
from nfe.inversion.losses import FeatureMaps, code_distance, perceptual_distance, pixel_distance

__all__ = ["EncoderSettings", "EncoderTrainer"]

NUM_CODES_FOR_CENTRE = 10_000


@dataclass(frozen=True)
class EncoderSettings:
    """Settings of a run. A term of weight 0 is left out and costs nothing.

    Attributes:
        kimg: Thousands of real images shown.
        batch_size: Real images per step.
        num_samples: Sampled images per step, for the latent term.
        mixing_probability: Share of the sampled images made from two codes.
        mirror: Whether pictures are flipped left to right half of the time.
        learning_rate: Of Adam(0.9, 0.99) for E; it falls to 0 along half a cosine.
        discriminator_learning_rate: Of Adam(0, 0.99) for D, constant.
        pixel_weight: Of the mean squared difference of pixels.
        perceptual_weight: Of the distance of feature maps.
        adversarial_weight: Of softplus(-D(G(E(x)))).
        latent_weight: Of the squared error of E(G(w)) for sampled w, in deviations of w.
        adversarial_interval: Steps between those with D; its gradient is scaled up by as much.
        r1_gamma: Weight of R1.
        r1_interval: Steps of D between R1 penalties.
        bf16: Whether the networks run in bfloat16 autocast.
        checkpoint_steps: Steps between checkpoints.
    """

    kimg: float
    batch_size: int
    num_samples: int
    mixing_probability: float
    mirror: bool
    learning_rate: float
    discriminator_learning_rate: float
    pixel_weight: float
    perceptual_weight: float
    adversarial_weight: float
    latent_weight: float
    adversarial_interval: int
    r1_gamma: float
    r1_interval: int
    bf16: bool
    checkpoint_steps: int


class EncoderTrainer:
    """One training run: E and D, their optimisers, random state, history. G stays as it is.

    E minimises, over real images x and sampled codes w,
    pixel |G(E(x)) - x|^2 + perceptual |F(G(E(x))) - F(x)|^2 + adversarial softplus(-D(G(E(x))))
    + latent |E(G(w)) - w|^2, and D tells G(E(x)) from x.

    Args:
        pixels: The data set, uint8, [N, resolution, resolution, 3].
        generator: Finished and frozen.
        discriminator: The GAN's; trained on in place.
        encoder: Fresh encoder; trained in place.
        feature_maps: Frozen features for the perceptual term.
        settings: How to train.
        seed: Seeds the choice of pictures, codes and flips.
        device: Where the networks are.

    Source: Zhu et al. 2020 (IDInvert), section 3.1. We add the latent term, which costs no
        gradient through G and teaches E where the codes lie; D works on every
        `adversarial_interval`-th step.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        generator: Generator,
        discriminator: Discriminator,
        encoder: Encoder,
        feature_maps: FeatureMaps,
        settings: EncoderSettings,
        seed: int,
        device: str,
    ) -> None:
        self.data = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # stays uint8, in memory
        self.generator, self.discriminator = generator, discriminator
        self.encoder, self.feature_maps = encoder.train(), feature_maps
        self.settings, self.device = settings, torch.device(device)
        self.encoder_optimiser = torch.optim.Adam(
            encoder.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), foreach=True
        )
        self.discriminator_optimiser = torch.optim.Adam(
            discriminator.parameters(),
            lr=settings.discriminator_learning_rate,
            betas=(0.0, 0.99),
            foreach=True,
        )
        self.random = torch.Generator().manual_seed(seed)
        z = torch.randn(NUM_CODES_FOR_CENTRE, generator.z_dim, generator=self.random)
        with torch.no_grad():
            encoder.centre_on(generator.mapping(z.to(self.device)))
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.sums: dict[str, float] = {}

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""
        return round(self.settings.kimg * 1000 / self.settings.batch_size)

    def run(
        self,
        checkpoints: Path,
        fingerprint: str,
        on_progress: Callable[[int, int, str], None],
        on_snapshot: Callable[["EncoderTrainer"], None],
    ) -> None:
        """Train to the end, continuing from the newest checkpoint of the same run.

        Args:
            checkpoints: Folder of the run's checkpoints.
            fingerprint: Identifies the run: settings, data and generator.
            on_progress: Called with steps done, steps in all, and a note.
            on_snapshot: Called after each checkpoint.

        Raises:
            TrainingError: If a loss becomes NaN or infinite.
        """
        state = load_latest_checkpoint(checkpoints, fingerprint)
        if state is not None:
            self._restore(state)
        total = self.num_steps
        while self.step < total:
            self.train_step()
            if self.step % self.settings.checkpoint_steps == 0 or self.step == total:
                self._close_interval()
                save_checkpoint(checkpoints, self._state(fingerprint), self.step)
                on_snapshot(self)
            on_progress(self.step, total, self._note())
        self.encoder.eval()

    def train_step(self) -> None:
        """Do one step of E and, where it is due, of D.

        Raises:
            TrainingError: If a loss becomes NaN or infinite.
        """
        self._set_learning_rate()
        terms = self._terms()
        weights = {name: getattr(self.settings, f"{name}_weight") for name in terms}
        loss = sum((weights[name] * term for name, term in terms.items()), torch.zeros(()))
        self._check_finite(terms)
        self.encoder_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.encoder_optimiser.step()
        self.step += 1
        self._count(**terms)

    def _terms(self) -> dict[str, Tensor]:
        """Compute the terms of E's loss, and train D on the same reconstructions."""
        s = self.settings
        terms = {}
        images = draw_images(self.data, s.batch_size, s.mirror, self.random).to(self.device)
        w_plus = self._sampled_codes(s.num_samples if s.latent_weight else 0)
        # One pass for real and sampled images: batch normalisation sees both.
        with self._autocast():
            with torch.no_grad():
                samples = self.generator.synthesis(w_plus)
            answers = self.encoder(torch.cat([images, samples])).float()
            reconstructions = self.generator.synthesis(answers[: len(images)]).float()
        terms["pixel"] = pixel_distance(reconstructions, images).mean()
        if s.latent_weight:
            codes = answers[len(images) :]
            terms["latent"] = code_distance(codes, w_plus, self.encoder.w_scale).mean()
        if s.perceptual_weight:
            with self._autocast():
                with torch.no_grad():
                    target = self.feature_maps(images)
                maps = self.feature_maps(reconstructions)
            terms["perceptual"] = perceptual_distance(maps, target).mean()
        if s.adversarial_weight and self.step % s.adversarial_interval == 0:
            terms["adversarial"] = self._adversarial_term(images, reconstructions)
        return terms

    def _adversarial_term(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        """Train D one step and return E's term; one pass through D serves both."""
        s = self.settings
        shown = reconstructions.detach().requires_grad_(True)
        with self._autocast():
            fake_logits = self.discriminator(shown)
            real_logits = self.discriminator(images)
        loss_e = generator_loss(fake_logits.float())
        loss_d = discriminator_loss(real_logits.float(), fake_logits.float())
        (gradient,) = torch.autograd.grad(loss_e, shown, retain_graph=True)
        self._check_finite({"discriminator": loss_d})
        self.discriminator_optimiser.zero_grad(set_to_none=True)
        loss_d.backward(inputs=list(self.discriminator.parameters()))
        if self.step % (s.adversarial_interval * s.r1_interval) == 0:
            self._penalise(images)
        self.discriminator_optimiser.step()
        self._count(discriminator=loss_d)
        # The value of the loss with the gradient that the pass above found, scaled up.
        linear = (reconstructions * gradient).sum()
        return loss_e.detach() + s.adversarial_interval * (linear - linear.detach())

    def _penalise(self, images: Tensor) -> None:
        """Add the gradient of R1, times its interval; in float32, on half of the batch."""
        half = images[: max(1, len(images) // 2)].detach().requires_grad_(True)
        penalty = r1_penalty(self.discriminator(half), half)
        (penalty * (self.settings.r1_gamma / 2 * self.settings.r1_interval)).backward()

    def _sampled_codes(self, count: int) -> Tensor:
        return draw_codes(
            self.generator, count, self.settings.mixing_probability, self.random, self.device
        )

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16)

    def _set_learning_rate(self) -> None:
        factor = 0.5 + 0.5 * math.cos(math.pi * self.step / self.num_steps)
        for group in self.encoder_optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * factor

    def _check_finite(self, losses: dict[str, Tensor]) -> None:
        for name, loss in losses.items():
            if not math.isfinite(float(loss.detach())):
                raise TrainingError(
                    f"{name} loss must be finite, got {float(loss.detach())} at step {self.step}; "
                    f"lower train_encoder.learning_rate or discriminator_learning_rate"
                )

    def _count(self, **values: Tensor) -> None:
        """Add to the sums and counts of each name since the last checkpoint."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
            self.sums[f"num_{name}"] = self.sums.get(f"num_{name}", 0.0) + 1

    def _close_interval(self) -> None:
        """Add the means since the last checkpoint to the history."""
        names = [name for name in self.sums if not name.startswith("num_")]
        means = {name: self.sums[name] / self.sums[f"num_{name}"] for name in names}
        self.history.append({"step": float(self.step), **means})
        self.sums = {}

    def _note(self) -> str:
        last = self.history[-1] if self.history else {}
        return "  ".join(f"{name} {value:.3f}" for name, value in last.items() if name != "step")

    def _state(self, fingerprint: str) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint,
            "step": self.step,
            "num_threads": torch.get_num_threads(),
            "encoder": self.encoder.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "encoder_optimiser": self.encoder_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
            "random": self.random.get_state(),
            "history": self.history,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        torch.set_num_threads(state["num_threads"])
        for name in ("encoder", "discriminator", "encoder_optimiser", "discriminator_optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.random.set_state(state["random"])
        self.step, self.history = state["step"], state["history"]
