"""Training of an encoder for a fixed generator, by any set of terms, resumable to the byte."""

import math
from collections.abc import Callable
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
from nfe.inversion.latent_discriminator import LatentAdversary
from nfe.inversion.losses import (
    Embedding,
    FeatureMaps,
    code_distance,
    delta_length,
    embedding_distance,
    perceptual_distance,
    pixel_distance,
)
from nfe.inversion.settings import EncoderSettings

__all__ = ["EncoderTrainer"]

NUM_CODES_FOR_CENTRE = 10_000


class EncoderTrainer:
    """One training run: E, D, D_w, their optimisers, random state, history. G stays as it is.

    E minimises, over real images x and sampled codes w, the weighted sum of these terms:

    pixel               |G(E(x)) - x|^2
    perceptual          |F(G(E(x))) - F(x)|^2
    similarity          1 - cos(e(G(E(x))), e(x))
    adversarial         softplus(-D(G(E(x)))), where D tells G(E(x)) from x
    latent              |E(G(w)) - w|^2
    delta               sum_i |E(x)_i - E(x)_0|
    latent_adversarial  softplus(-D_w(E(x)_i)), where D_w tells E(x)_i from mapping(z)

    Args:
        pixels: The data set, uint8, [N, resolution, resolution, 3].
        generator: Finished and frozen.
        discriminator: The GAN's; trained on in place.
        encoder: Fresh encoder; trained in place.
        feature_maps: Frozen features F for the perceptual term.
        embedding: Frozen embedding e for the similarity term.
        settings: How to train.
        seed: Seeds the weights of D_w and the choice of pictures, codes and flips.
        device: Where the networks are.

    Source: Zhu et al. 2020 (IDInvert), section 3.1: pixel, perceptual, adversarial. We add the
        latent term, which costs no gradient through G and teaches E where the codes lie; D works
        on every `adversarial_interval`-th step. Leng et al. 2021 (force-in-domain) adds D_w; Tov
        et al. 2021 (e4e) has D_w, delta and similarity, and no D; there, too, we add the latent
        term, without which how well an encoder finds its own edits is a matter of the seed.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        generator: Generator,
        discriminator: Discriminator,
        encoder: Encoder,
        feature_maps: FeatureMaps,
        embedding: Embedding,
        settings: EncoderSettings,
        seed: int,
        device: str,
    ) -> None:
        self.data = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # stays uint8, in memory
        self.generator, self.discriminator = generator, discriminator
        self.encoder = encoder.train()
        self.feature_maps, self.embedding = feature_maps, embedding
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
        self.latent_adversary: LatentAdversary | None = None
        if settings.latent_adversarial_weight:
            self.latent_adversary = LatentAdversary(
                encoder.w_avg, encoder.w_scale, settings.latent_discriminator, seed
            )
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.sums: dict[str, float] = {}

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""
        return self.settings.num_steps

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
        """Do one step of E and, where they are due, of D and D_w.

        Raises:
            TrainingError: If a loss becomes NaN or infinite.
        """
        self._set_learning_rate()
        num_deltas = self.encoder.num_ws - 1
        self.encoder.num_released = self.settings.num_released_at(self.step, num_deltas)
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
        """Compute the terms of E's loss, and train D and D_w on the same answers."""
        s = self.settings
        terms = {}
        images = draw_images(self.data, s.batch_size, s.mirror, self.random).to(self.device)
        count = s.num_samples if s.latent_weight else 0
        w_plus = draw_codes(self.generator, count, s.mixing_probability, self.random, self.device)
        # One pass for real and sampled images: batch normalisation sees both.
        with self._autocast():
            with torch.no_grad():
                samples = self.generator.synthesis(w_plus)
            answers = self.encoder(torch.cat([images, samples])).float()
            codes = answers[: len(images)]
            reconstructions = self.generator.synthesis(codes).float()
        terms["pixel"] = pixel_distance(reconstructions, images).mean()
        if s.latent_weight:
            errors = code_distance(answers[len(images) :], w_plus, self.encoder.w_scale)
            terms["latent"] = errors.mean()
        terms.update(self._feature_terms(images, reconstructions))
        if s.adversarial_weight and self.step % s.adversarial_interval == 0:
            terms["adversarial"] = self._adversarial_term(images, reconstructions)
        if s.delta_weight:
            terms["delta"] = delta_length(codes, self.encoder.w_scale).mean()
        if self.latent_adversary is not None:
            terms["latent_adversarial"] = self._term_against(self.latent_adversary, codes)
        return terms

    def _feature_terms(self, images: Tensor, reconstructions: Tensor) -> dict[str, Tensor]:
        """Compare images and reconstructions by what the frozen network sees."""
        terms = {}
        if self.settings.perceptual_weight:
            with self._autocast():
                with torch.no_grad():
                    target = self.feature_maps(images)
                maps = self.feature_maps(reconstructions)
            terms["perceptual"] = perceptual_distance(maps, target).mean()
        if self.settings.similarity_weight:
            with self._autocast():
                with torch.no_grad():
                    known = self.embedding(images)
                seen = self.embedding(reconstructions)
            terms["similarity"] = embedding_distance(seen, known).mean()
        return terms

    def _term_against(self, adversary: LatentAdversary, codes: Tensor) -> Tensor:
        """Train D_w one step on codes [N, num_ws, w_dim] and return E's term against it."""
        z = torch.randn(codes.shape[:2].numel(), self.generator.z_dim, generator=self.random)
        with torch.no_grad():
            w = self.generator.mapping(z.to(self.device))
        loss = adversary.train_step(codes, w, self.step, self.random)
        self._check_finite({"latent_discriminator": loss})
        self._count(latent_discriminator=loss)
        return adversary.term(codes)

    def _adversarial_term(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        """Train D one step and return E's term; one pass through D serves both."""
        shown = reconstructions.detach().requires_grad_(True)
        with self._autocast():
            fake_logits = self.discriminator(shown)
        loss_e = generator_loss(fake_logits.float())
        (gradient,) = torch.autograd.grad(loss_e, shown, retain_graph=True)
        if self.settings.discriminator_learning_rate:
            self._train_discriminator(images, fake_logits)
        # The value of the loss with the gradient that the pass above found, scaled up.
        linear = (reconstructions * gradient).sum()
        return loss_e.detach() + self.settings.adversarial_interval * (linear - linear.detach())

    def _train_discriminator(self, images: Tensor, fake_logits: Tensor) -> None:
        """Train D one step on real images and on what it found of reconstructions."""
        s = self.settings
        with self._autocast():
            real_logits = self.discriminator(images)
        loss_d = discriminator_loss(real_logits.float(), fake_logits.float())
        self._check_finite({"discriminator": loss_d})
        self.discriminator_optimiser.zero_grad(set_to_none=True)
        loss_d.backward(inputs=list(self.discriminator.parameters()))
        if self.step % (s.adversarial_interval * s.r1_interval) == 0:
            self._penalise(images)
        self.discriminator_optimiser.step()
        self._count(discriminator=loss_d)

    def _penalise(self, images: Tensor) -> None:
        """Add the gradient of R1, times its interval; in float32, on half of the batch."""
        half = images[: max(1, len(images) // 2)].detach().requires_grad_(True)
        penalty = r1_penalty(self.discriminator(half), half)
        (penalty * (self.settings.r1_gamma / 2 * self.settings.r1_interval)).backward()

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
                    f"lower train_encoder.learning_rate or those of the discriminators"
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
            "latent_adversary": self.latent_adversary and self.latent_adversary.state_dict(),
            "random": self.random.get_state(),
            "history": self.history,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        torch.set_num_threads(state["num_threads"])
        for name in ("encoder", "discriminator", "encoder_optimiser", "discriminator_optimiser"):
            getattr(self, name).load_state_dict(state[name])
        if self.latent_adversary is not None:
            self.latent_adversary.load_state_dict(state["latent_adversary"])
        self.random.set_state(state["random"])
        self.step, self.history = state["step"], state["history"]
