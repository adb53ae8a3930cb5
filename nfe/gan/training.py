"""Training of generator and discriminator, from small pictures to large, resumable to the byte."""

import copy
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.errors import TrainingError
from nfe.gan.augment import adapt_strength, augment
from nfe.gan.checkpoints import (
    load_best,
    load_latest_checkpoint,
    load_oldest_checkpoint,
    save_best,
    save_checkpoint,
)
from nfe.gan.colour_steps import ColourSteps
from nfe.gan.feature_discriminator import FeatureView
from nfe.gan.losses import (
    discriminator_loss,
    generator_gradient,
    generator_loss,
    r1_penalty,
)
from nfe.gan.networks import Discriminator, Generator
from nfe.gan.processes import (
    average_over_processes,
    gather_from_processes,
    num_processes,
    process_rank,
    wait_for_processes,
)
from nfe.gan.settings import TrainingSettings
from nfe.gan.watching import Evaluation, find_trouble

__all__ = ["GanTrainer"]

RANK_STRIDE = 1_000_003  # between the seeds of processes


class GanTrainer:
    """One training run: networks, optimisers, averages, random state, history.

    Under torchrun, each process takes its share of every batch and all average their gradients.

    Args:
        pixels: The data set, uint8, [N, resolution, resolution, 3].
        generator: Fresh generator; trained in place.
        discriminator: Fresh discriminator; trained in place.
        features: A second discriminator, over a frozen network's features; None for none.
        settings: How to train.
        seed: Seeds the choice of pictures, codes and flips.
        device: Where the networks run.

    Raises:
        ValueError: If the batch cannot be shared evenly by the processes.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        generator: Generator,
        discriminator: Discriminator,
        features: FeatureView | None,
        settings: TrainingSettings,
        seed: int,
        device: str,
    ) -> None:
        if settings.batch_size % num_processes():
            raise ValueError(
                f"batch_size must be a multiple of {num_processes()} processes, "
                f"got {settings.batch_size}"
            )
        self.share = settings.batch_size // num_processes()
        self.data = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # stays uint8, in memory
        self.settings, self.device = settings, torch.device(device)
        self.generator = generator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = discriminator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.colours: ColourSteps | None = None
        if settings.colour_weight > 0:
            self.colours = ColourSteps(pixels, self.device)
        self.features = features
        self.reading = None if features is None else features.reading
        if self.reading is not None:
            self.reading.reader.to(self.device)
        if features is not None:
            features.heads.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False).eval()
        interval = settings.r1_interval
        self.lazy_ratio = interval / (interval + 1)  # lazy regularisation: StyleGAN2, appendix B
        drawers = [*self.generator.synthesis.parameters(), *self._reader_parameters()]
        self.generator_optimiser = _adam(drawers, settings.adam_betas, 1.0)
        mapping = [*self.generator.mapping.parameters()]
        self.generator_optimiser.add_param_group({"params": mapping})
        judges = [*self.discriminator.parameters(), *self._head_parameters()]
        self.discriminator_optimiser = _adam(judges, settings.adam_betas, self.lazy_ratio)
        self.random = torch.Generator().manual_seed(seed + RANK_STRIDE * process_rank())
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.sums: dict[str, float] = {}
        self.rate_scale, self.num_rollbacks = 1.0, 0
        self.augment_strength = 0.0

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""
        return self.settings.num_steps

    @property
    def kimg(self) -> float:
        """Thousands of real images shown so far."""
        return self.step * self.settings.batch_size / 1000

    def side_at(self, step: int) -> int:
        """Return the side in pixels that `step` trains at."""
        return self.settings.growth_at(step).side

    def run(
        self,
        checkpoints: Path,
        fingerprint: str,
        evaluate: Callable[[Generator, int], Evaluation],
        on_progress: Callable[[int, int, str], None],
        on_snapshot: Callable[["GanTrainer"], None],
    ) -> None:
        """Train to the end, continuing from the newest checkpoint of the same run.

        Every `checkpoint_kimg` the averaged generator is evaluated. After NaN, infinity or
        collapse the run goes back to a checkpoint and goes on at half the learning rate.

        Args:
            checkpoints: Folder of the run's checkpoints.
            fingerprint: Identifies the run: settings and data.
            evaluate: Judges a generator's images at a side; draws on no random state of the run.
            on_progress: Called with images done, images in all, and a note.
            on_snapshot: Called after each checkpoint.

        Raises:
            TrainingError: If the run fails again after `limits.max_rollbacks` times going back.
        """
        state = load_latest_checkpoint(checkpoints, fingerprint)
        if state is not None:
            self._restore(state)
        else:
            self._save(checkpoints, fingerprint)
        batch, total = self.settings.batch_size, self.num_steps
        every = max(1, round(self.settings.checkpoint_kimg * 1000 / batch))
        while self.step < total:
            trouble = self.train_step()
            closes = self.step % every == 0 or self.step == total
            if closes and not trouble:
                side = self.side_at(self.step - 1)
                self._close_interval(side, evaluate(self.generator_ema, side))
                trouble = find_trouble(self.history, self.settings.limits)
            if trouble:
                self._go_back(checkpoints, fingerprint, trouble)
            elif closes:
                self._save(checkpoints, fingerprint)
                if process_rank() == 0:
                    self._keep_if_best(checkpoints, fingerprint)
                    on_snapshot(self)
            on_progress(self.step * batch, total * batch, self._note())

    def finished_networks(
        self, checkpoints: Path, fingerprint: str
    ) -> tuple[Generator, Discriminator, float]:
        """Return the best networks of the run and the kimg they come from.

        The best are those whose images were nearest to the data at full resolution. The generator
        is the averaged one, its `w_avg` measured over 10,000 fixed codes.
        """
        best = load_best(checkpoints, fingerprint) or {"kimg": self.kimg, **self._shown_networks()}
        generator, discriminator = copy.deepcopy((self.generator_ema, self.discriminator))
        generator.load_state_dict(best["generator_ema"])
        discriminator.load_state_dict(best["discriminator"])
        generator.measure_w_avg()
        return generator, discriminator, best["kimg"]

    def train_step(self) -> str | None:
        """Do one step of both networks; return what is wrong with it, if anything is."""
        side = self.side_at(self.step)
        reals = self._augmented(self._real_images(side))
        penalise = self.step % self.settings.r1_interval == 0
        self._set_learning_rates()

        # One pass through G, and one back, serves both losses.
        with self._autocast():
            w_plus = self._fake_codes(side)
            fakes = self.generator.synthesis(w_plus, side)
            seen = self._augmented(fakes)
            shown = seen.detach().requires_grad_(True)
            fake_logits, real_logits = self.discriminator(shown), self.discriminator(reals)
            loss_g = generator_loss(fake_logits)
            loss_d = discriminator_loss(real_logits, fake_logits)
        made, gradients = [seen], [*torch.autograd.grad(loss_g, [shown], retain_graph=True)]
        torch.autograd.backward(loss_d, inputs=self.discriminator.parameters_at(side))
        if penalise:
            self._penalise(reals)
        if self.features is not None:
            felt_g, felt_d, maps, map_gradients = self._train_heads(self.features, seen, reals)
            loss_g, loss_d = loss_g + felt_g, loss_d + felt_d
            made, gradients = made + maps, gradients + map_gradients
            if self.reading is not None:
                with self._autocast():
                    answers = self.reading.answer(maps)
                weight = self.reading.weight_at(self.settings.fall_at(self.step))
                term = weight * self.reading.reader.term(w_plus, answers)
                loss_g = loss_g + term
                made, gradients = [*made, term], [*gradients, torch.ones_like(term)]
        if self.colours is not None:
            term = self.settings.colour_weight * self.colours.term(fakes)
            loss_g = loss_g + term
            if term.requires_grad:  # that of pictures too small for it is a plain 0
                made, gradients = [*made, term], [*gradients, torch.ones_like(term)]
        torch.autograd.backward(made, gradients)

        sign = real_logits.detach().sign().mean()
        means = torch.stack([loss_g.detach(), loss_d.detach(), real_logits.detach().mean()])
        means = torch.cat([means, fake_logits.detach().mean()[None], sign[None]]).float()
        average_over_processes([means])
        loss_g_mean, loss_d_mean, real_mean, fake_mean, real_sign = means.tolist()
        if not math.isfinite(loss_g_mean + loss_d_mean):
            return f"loss must be finite, got {loss_g_mean} (G) and {loss_d_mean} (D)"
        self._average_gradients()
        for optimiser in (self.generator_optimiser, self.discriminator_optimiser):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self._average()
        self._adapt_augmentation(real_sign)
        self._count(
            loss_g=loss_g_mean, loss_d=loss_d_mean, real_logits=real_mean, fake_logits=fake_mean
        )
        return None

    def _train_heads(
        self, features: FeatureView, seen: Tensor, reals: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        """Add the gradient of the heads; one pass back through them serves both losses.

        Returns:
            The losses of the generator, weighted, and of the heads; the maps of the generated
            images, and the gradients of the generator's loss by them.
        """
        with self._autocast():
            maps = list(features.extract(seen))
            with torch.no_grad():
                real_maps = features.extract(reals)
            shown = [each.detach().requires_grad_(True) for each in maps]
            fake_logits, real_logits = features.heads(shown, real_maps).chunk(2)
            loss_g = features.weight * generator_loss(fake_logits)
            loss_d = discriminator_loss(real_logits, fake_logits)
        torch.autograd.backward(loss_d, inputs=[*self._head_parameters(), *shown])
        gradients = [
            features.weight * generator_gradient(cast(Tensor, each.grad), logits)
            for each, logits in zip(shown, fake_logits.unbind(dim=1), strict=True)
        ]
        return loss_g, loss_d, maps, gradients

    def _penalise(self, reals: Tensor) -> None:
        """Add the gradient of R1, times its interval; in float32, on half of the batch."""
        images = reals[: max(1, len(reals) // 2)].detach().requires_grad_(True)
        penalty = r1_penalty(self.discriminator(images), images)
        gamma = self.settings.growth_at(self.step).r1_gamma
        (penalty * (gamma / 2 * self.settings.r1_interval)).backward()

    def _real_images(self, side: int) -> Tensor:
        count = self.share
        index = torch.randint(len(self.data), (count,), generator=self.random)
        images = self.data[index].to(self.device).float().div_(127.5).sub_(1)
        if side < images.shape[-1]:
            images = F.avg_pool2d(images, images.shape[-1] // side)
        if self.settings.mirror:
            flip = torch.rand(count, generator=self.random).lt(0.5).to(self.device)
            images = torch.where(flip[:, None, None, None], images.flip(3), images)
        return images

    def _fake_codes(self, side: int) -> Tensor:
        """Fresh codes, [N, num_ws, w_dim]; mixed ones take a second code from a random layer on."""
        count, G = self.share, self.generator
        z = torch.randn(2 * count, G.z_dim, generator=self.random).to(self.device)
        num_ws = 2 * int(math.log2(side)) - 2
        first = torch.randint(1, num_ws, (count,), generator=self.random)
        alone = torch.rand(count, generator=self.random).ge(self.settings.mixing_probability)
        first = torch.where(alone, G.num_ws, first)
        second = torch.arange(G.num_ws)[None] >= first[:, None]  # [N, num_ws]
        w = G.mapping(z)
        return torch.where(second[:, :, None].to(self.device), w[count:, None], w[:count, None])

    def _augmented(self, images: Tensor) -> Tensor:
        return augment(images, self.augment_strength, self.random)

    def _adapt_augmentation(self, sign: float) -> None:
        target, batch = self.settings.augment_target, self.settings.batch_size
        if target is not None:
            self.augment_strength = adapt_strength(self.augment_strength, sign, target, batch)

    def _average_gradients(self) -> None:
        trained = [*self.generator.parameters(), *self.discriminator.parameters()]
        trained += [*self._head_parameters(), *self._reader_parameters()]
        average_over_processes([p.grad for p in trained if p.grad is not None])

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16)

    def _reader_parameters(self) -> list[Tensor]:
        return [] if self.reading is None else list(self.reading.reader.parameters())

    def _head_parameters(self) -> list[Tensor]:
        return [] if self.features is None else list(self.features.heads.parameters())

    def _set_learning_rates(self) -> None:
        rate = self.settings.rate_at(self.step) * self.rate_scale
        self.generator_optimiser.param_groups[0]["lr"] = rate
        mapping_rate = self.settings.mapping_rate_at(self.step) * self.rate_scale
        self.generator_optimiser.param_groups[1]["lr"] = mapping_rate
        self.discriminator_optimiser.param_groups[0]["lr"] = rate * self.lazy_ratio

    def _average(self) -> None:
        half_life = min(self.settings.ema_kimg, self.kimg * self.settings.ema_rampup) * 1000
        keep = 0.5 ** (self.settings.batch_size / max(half_life, 1e-8))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.generator_ema.parameters()),
                [p.detach() for p in self.generator.parameters()],
                1 - keep,
            )

    def _count(self, **values: float) -> None:
        self.sums["steps"] = self.sums.get("steps", 0.0) + 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def _close_interval(self, side: int, evaluation: Evaluation) -> None:
        """Add the means since the last checkpoint and the evaluation to the history."""
        steps = self.sums.pop("steps")
        means = {name: total / steps for name, total in self.sums.items()}
        row = {"kimg": self.kimg, "side": float(side), **means, **asdict(evaluation)}
        extra = {"augment_strength": self.augment_strength, "rate_scale": self.rate_scale}
        self.history.append({**row, **extra})
        self.sums = {}

    def _go_back(self, checkpoints: Path, fingerprint: str, trouble: str) -> None:
        """Continue from the older of the kept checkpoints at half the learning rate."""
        advice = "lower the learning rates of train_gan.growth or raise its r1_gamma"
        where = f"{trouble}, at {self.kimg:.1f} kimg"
        num_rollbacks = self.num_rollbacks + 1
        if num_rollbacks > self.settings.limits.max_rollbacks:
            raise TrainingError(f"{where}, after {self.num_rollbacks} times going back; {advice}")
        rate_scale = self.rate_scale / 2
        state = load_oldest_checkpoint(checkpoints, fingerprint)
        assert state is not None  # there is one from the first step on
        self._restore(state)
        self.rate_scale, self.num_rollbacks = rate_scale, num_rollbacks
        print(f"train_gan: {where}: back to {self.kimg:.1f} kimg", file=sys.stderr, flush=True)
        self._save(checkpoints, fingerprint)

    def _keep_if_best(self, checkpoints: Path, fingerprint: str) -> None:
        """Keep the networks whose images come nearest to the data at the full resolution."""
        full = [row for row in self.history if row["side"] == self.settings.growth[-1].side]
        if not full or full[-1]["frechet"] > min(row["frechet"] for row in full):
            return
        best = {"fingerprint": fingerprint, "kimg": self.kimg, **self._shown_networks()}
        save_best(checkpoints, best)

    def _note(self) -> str:
        side = self.side_at(self.step)
        if not self.history:
            return f"{side} px"
        last = self.history[-1]
        return f"{side} px  Frechet distance {last['frechet']:.1f}  at {last['kimg']:.0f} kimg"

    def _shown_networks(self) -> dict[str, Any]:
        return {
            "generator_ema": self.generator_ema.state_dict(),
            "discriminator": self.discriminator.state_dict(),
        }

    def _save(self, checkpoints: Path, fingerprint: str) -> None:
        state = self._state(fingerprint)
        if process_rank() == 0:
            save_checkpoint(checkpoints, state, self.step)
        wait_for_processes()

    def _state(self, fingerprint: str) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint,
            "step": self.step,
            "num_threads": torch.get_num_threads(),
            "generator": self.generator.state_dict(),
            **self._shown_networks(),
            "features": None if self.features is None else self.features.heads.state_dict(),
            "reader": None if self.reading is None else self.reading.reader.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
            "random": gather_from_processes(self.random.get_state()),
            "history": self.history,
            "augment_strength": self.augment_strength,
            "rate_scale": self.rate_scale,
            "num_rollbacks": self.num_rollbacks,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        torch.set_num_threads(state["num_threads"])
        try:
            self._load_networks(state)
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                "checkpoints must be of the networks that are trained, got those of others: they "
                "are of another version; `nfe run --force train_gan` begins anew"
            ) from error
        for optimiser in (self.generator_optimiser, self.discriminator_optimiser):
            optimiser.zero_grad(set_to_none=True)  # of a step that was given up
        self.step, self.history, self.sums = state["step"], state["history"], {}
        if self.step < self.num_steps and len(state["random"]) != num_processes():
            raise TrainingError(
                f"a run must go on with as many processes as it began with, {len(state['random'])},"
                f" got {num_processes()}; start so many, or `nfe run --force train_gan`"
            )
        self.random.set_state(state["random"][process_rank()])
        self.augment_strength = state["augment_strength"]
        self.rate_scale, self.num_rollbacks = state["rate_scale"], state["num_rollbacks"]

    def _load_networks(self, state: dict[str, Any]) -> None:
        for name in (
            "generator",
            "generator_ema",
            "discriminator",
            "generator_optimiser",
            "discriminator_optimiser",
        ):
            getattr(self, name).load_state_dict(state[name])
        if self.features is not None:
            self.features.heads.load_state_dict(state["features"])
        if self.reading is not None:
            self.reading.reader.load_state_dict(state["reader"])


def _adam(
    parameters: Iterable[Tensor], betas: tuple[float, float], exponent: float
) -> torch.optim.Adam:
    powers = (betas[0] ** exponent, betas[1] ** exponent)
    return torch.optim.Adam(parameters, betas=powers, fused=True)
