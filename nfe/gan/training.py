"""Training of generator and discriminator, from small pictures to large, resumable to the byte."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.errors import TrainingError
from nfe.gan.checkpoints import load_latest_checkpoint, save_checkpoint
from nfe.gan.losses import discriminator_loss, generator_loss, r1_penalty
from nfe.gan.networks import Discriminator, Generator

__all__ = ["GanTrainer", "TrainingSettings"]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a run.

    Attributes:
        growth: Sides to train at, in order: side in pixels, thousands of real images shown at
            that side, learning rate of Adam for both networks.
        adam_betas: Decay rates of Adam's two moments, for both networks.
        batch_size: Images per step.
        decay_share: Share of the run at whose end the learning rate falls to zero linearly.
        r1_gamma: Weight of R1, at the full resolution; smaller sides take the same.
        r1_interval: Steps between R1 penalties.
        ema_kimg: Half-life of the averaged generator, in kimg.
        ema_rampup: The half-life is at most this share of the images seen.
        mixing_probability: Share of the images made from two codes.
        mirror: Whether pictures are flipped left to right half of the time.
        bf16: Whether the networks run in bfloat16 autocast.
        checkpoint_kimg: Thousands of images between checkpoints.
    """

    growth: tuple[tuple[int, float, float], ...]
    adam_betas: tuple[float, float]
    batch_size: int
    decay_share: float
    r1_gamma: float
    r1_interval: int
    ema_kimg: float
    ema_rampup: float
    mixing_probability: float
    mirror: bool
    bf16: bool
    checkpoint_kimg: float


class GanTrainer:
    """One training run: networks, optimisers, averages, random state, history.

    Args:
        pixels: The data set, uint8, [N, resolution, resolution, 3].
        generator: Fresh generator; trained in place.
        discriminator: Fresh discriminator; trained in place.
        settings: How to train.
        seed: Seeds the choice of pictures, codes and flips.
        device: Where the networks run.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        generator: Generator,
        discriminator: Discriminator,
        settings: TrainingSettings,
        seed: int,
        device: str,
    ) -> None:
        self.data = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # stays uint8, in memory
        self.settings, self.device = settings, torch.device(device)
        self.generator = generator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = discriminator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False).eval()
        interval = settings.r1_interval
        self.lazy_ratio = interval / (interval + 1)  # lazy regularisation: StyleGAN2, appendix B
        self.generator_optimiser = _adam(self.generator, settings.adam_betas, 1.0)
        self.discriminator_optimiser = _adam(
            self.discriminator, settings.adam_betas, self.lazy_ratio
        )
        self.random = torch.Generator().manual_seed(seed)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.sums: dict[str, float] = {}

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""
        return sum(self._steps_per_side())

    @property
    def kimg(self) -> float:
        """Thousands of real images shown so far."""
        return self.step * self.settings.batch_size / 1000

    def side_at(self, step: int) -> int:
        """Return the side in pixels that `step` trains at."""
        return self._growth_at(step)[0]

    def run(
        self,
        checkpoints: Path,
        fingerprint: str,
        on_progress: Callable[[int, int, str], None],
        on_snapshot: Callable[["GanTrainer"], None],
    ) -> None:
        """Train to the end, continuing from the newest checkpoint of the same run.

        Args:
            checkpoints: Folder of the run's checkpoints.
            fingerprint: Identifies the run: settings and data.
            on_progress: Called with images done, images in all, and a note.
            on_snapshot: Called after each checkpoint.

        Raises:
            TrainingError: If a loss or a weight becomes NaN or infinite.
        """
        state = load_latest_checkpoint(checkpoints, fingerprint)
        if state is not None:
            self._restore(state)
        batch, total = self.settings.batch_size, self.num_steps
        every = max(1, round(self.settings.checkpoint_kimg * 1000 / batch))
        while self.step < total:
            self.train_step()
            if self.step % every == 0 or self.step == total:
                self._close_interval()
                save_checkpoint(checkpoints, self._state(fingerprint), self.step)
                on_snapshot(self)
            on_progress(self.step * batch, total * batch, self._note())

    def finished_generator(self) -> Generator:
        """Return the averaged generator with `w_avg` measured over 10,000 fixed codes."""
        generator = copy.deepcopy(self.generator_ema)
        z = torch.randn(10_000, generator.z_dim, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            generator.w_avg.copy_(generator.mapping(z.to(self.device)).mean(dim=0))
        return generator

    def train_step(self) -> None:
        """Do one step of both networks.

        Raises:
            TrainingError: If a loss becomes NaN or infinite.
        """
        side = self.side_at(self.step)
        reals = self._real_images(side)
        penalise = self.step % self.settings.r1_interval == 0
        self._set_learning_rates()

        # One pass through G and D serves both losses.
        with self._autocast():
            fakes = self._fake_images(side)
        shown = fakes.detach().requires_grad_(True)
        with self._autocast():
            fake_logits = self.discriminator(shown)
            real_logits = self.discriminator(reals)
            loss_g = generator_loss(fake_logits)
            loss_d = discriminator_loss(real_logits, fake_logits)
        (image_gradient,) = torch.autograd.grad(loss_g, shown, retain_graph=True)
        torch.autograd.backward(loss_d, inputs=list(self._discriminator_parameters(side)))
        if penalise:
            self._penalise(reals)
        fakes.backward(image_gradient)

        if not math.isfinite(loss_g.item() + loss_d.item()):
            raise TrainingError(
                f"loss must be finite, got {loss_g.item()} (G) and {loss_d.item()} (D) at "
                f"{self.kimg:.1f} kimg; lower the learning rates of train_gan.growth "
                "or raise train_gan.r1_gamma"
            )
        for optimiser in (self.generator_optimiser, self.discriminator_optimiser):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self._average()
        self._count(
            loss_g=loss_g,
            loss_d=loss_d,
            real_logits=real_logits.mean(),
            fake_logits=fake_logits.mean(),
        )

    def _penalise(self, reals: Tensor) -> None:
        """Add the gradient of R1, times its interval; in float32, on half of the batch."""
        images = reals[: max(1, len(reals) // 2)].detach().requires_grad_(True)
        penalty = r1_penalty(self.discriminator(images), images)
        (penalty * (self.settings.r1_gamma / 2 * self.settings.r1_interval)).backward()

    def _real_images(self, side: int) -> Tensor:
        count = self.settings.batch_size
        index = torch.randint(len(self.data), (count,), generator=self.random)
        images = self.data[index].to(self.device).float().div_(127.5).sub_(1)
        if side < images.shape[-1]:
            images = F.avg_pool2d(images, images.shape[-1] // side)
        if self.settings.mirror:
            flip = torch.rand(count, generator=self.random).lt(0.5).to(self.device)
            images = torch.where(flip[:, None, None, None], images.flip(3), images)
        return images

    def _fake_images(self, side: int) -> Tensor:
        """Images of fresh codes; style mixing takes a second code from a random layer on."""
        count, G = self.settings.batch_size, self.generator
        z = torch.randn(2 * count, G.z_dim, generator=self.random).to(self.device)
        num_ws = 2 * int(math.log2(side)) - 2
        first = torch.randint(1, num_ws, (count,), generator=self.random)
        alone = torch.rand(count, generator=self.random).ge(self.settings.mixing_probability)
        first = torch.where(alone, num_ws, first)
        second = torch.arange(G.num_ws)[None] >= first[:, None]  # [N, num_ws]
        w = G.mapping(z)
        w_plus = torch.where(second[:, :, None].to(self.device), w[count:, None], w[:count, None])
        return G.synthesis(w_plus, side)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16)

    def _discriminator_parameters(self, side: int) -> Iterator[Tensor]:
        """Parameters that see images of `side`; the entries of other sides do not."""
        entry = int(math.log2(self.discriminator.resolution // side))
        for name, parameter in self.discriminator.named_parameters():
            part, _, rest = name.partition(".")
            index = rest.split(".")[0]
            if part in ("from_rgb", "blocks") and int(index) < entry:
                continue
            yield parameter

    def _set_learning_rates(self) -> None:
        rate = self._growth_at(self.step)[2]
        if self.settings.decay_share:
            left = (self.num_steps - self.step) / self.num_steps
            rate *= min(1.0, left / self.settings.decay_share)
        self.generator_optimiser.param_groups[0]["lr"] = rate
        self.discriminator_optimiser.param_groups[0]["lr"] = rate * self.lazy_ratio

    def _growth_at(self, step: int) -> tuple[int, float, float]:
        for growth, steps in zip(self.settings.growth, self._steps_per_side(), strict=True):
            if step < steps:
                return growth
            step -= steps
        return self.settings.growth[-1]

    def _average(self) -> None:
        half_life = min(self.settings.ema_kimg, self.kimg * self.settings.ema_rampup) * 1000
        keep = 0.5 ** (self.settings.batch_size / max(half_life, 1e-8))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.generator_ema.parameters()),
                [p.detach() for p in self.generator.parameters()],
                1 - keep,
            )

    def _steps_per_side(self) -> list[int]:
        batch = self.settings.batch_size
        return [round(kimg * 1000 / batch) for _, kimg, _ in self.settings.growth]

    def _count(self, **values: Tensor) -> None:
        self.sums["steps"] = self.sums.get("steps", 0.0) + 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())

    def _close_interval(self) -> None:
        """Add the means since the last checkpoint to the history."""
        steps = self.sums.pop("steps")
        means = {name: total / steps for name, total in self.sums.items()}
        self.history.append({"kimg": self.kimg, "side": float(self.side_at(self.step)), **means})
        self.sums = {}

    def _note(self) -> str:
        side = self.side_at(self.step)
        if not self.history:
            return f"{side} px"
        last = self.history[-1]
        return f"{side} px  D(x) {last['real_logits']:.2f}  D(G(z)) {last['fake_logits']:.2f}"

    def _state(self, fingerprint: str) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint,
            "step": self.step,
            "num_threads": torch.get_num_threads(),
            "generator": self.generator.state_dict(),
            "generator_ema": self.generator_ema.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
            "random": self.random.get_state(),
            "history": self.history,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        torch.set_num_threads(state["num_threads"])
        for name in (
            "generator",
            "generator_ema",
            "discriminator",
            "generator_optimiser",
            "discriminator_optimiser",
        ):
            getattr(self, name).load_state_dict(state[name])
        self.random.set_state(state["random"])
        self.step, self.history = state["step"], state["history"]


def _adam(
    network: torch.nn.Module, betas: tuple[float, float], exponent: float
) -> torch.optim.Adam:
    powers = (betas[0] ** exponent, betas[1] ** exponent)
    return torch.optim.Adam(network.parameters(), betas=powers, foreach=True)
