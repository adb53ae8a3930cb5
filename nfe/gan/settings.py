"""How a generator is trained: settings, and what follows from them at each step."""

from dataclasses import dataclass

from nfe.gan.watching import WatchLimits

__all__ = ["GrowthStep", "TrainingSettings"]


@dataclass(frozen=True)
class GrowthStep:
    """A part of a run at one side.

    Attributes:
        side: Of the pictures, in pixels.
        kimg: Thousands of real images shown.
        learning_rate: Of Adam, for both networks.
        r1_gamma: Weight of R1. It adds up squares over the pixels, so small sides need less.
    """

    side: int
    kimg: float
    learning_rate: float
    r1_gamma: float


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a run.

    Attributes:
        growth: Sides to train at, in order.
        adam_betas: Decay rates of Adam's two moments, for both networks.
        batch_size: Images per step, of all processes together.
        decay_share: Share of the run at whose end the learning rate falls to zero linearly.
        mapping_rise: What the mapping's learning rate is multiplied by at the end; by 1 at first,
            and by as much more as the learning rate has fallen.
        r1_interval: Steps between R1 penalties.
        ema_kimg: Half-life of the averaged generator, in kimg.
        ema_rampup: The half-life is at most this share of the images seen.
        mixing_probability: Share of the images made from two codes.
        mirror: Whether pictures are flipped left to right half of the time.
        colour_weight: Of the term that keeps steps of colour between neighbouring pixels as small
            as in the data; 0 for none.
        augment_target: Mean sign of D's logits of real images at which adaptive augmentation
            holds it, in [0, 1]; None for no augmentation.
        bf16: Whether the networks run in bfloat16 autocast.
        checkpoint_kimg: Thousands of images between checkpoints, and between evaluations.
        limits: What counts as trouble, and how often the run may go back.
    """

    growth: tuple[GrowthStep, ...]
    adam_betas: tuple[float, float]
    batch_size: int
    decay_share: float
    mapping_rise: float
    r1_interval: int
    ema_kimg: float
    ema_rampup: float
    mixing_probability: float
    mirror: bool
    colour_weight: float
    augment_target: float | None
    bf16: bool
    checkpoint_kimg: float
    limits: WatchLimits

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""
        return sum(self._steps_per_side())

    def growth_at(self, step: int) -> GrowthStep:
        """Return the entry of `growth` that `step` trains at; the last one at the end."""
        for growth, steps in zip(self.growth, self._steps_per_side(), strict=True):
            if step < steps:
                return growth
            step -= steps
        return self.growth[-1]

    def rate_at(self, step: int) -> float:
        """Return the learning rate of `step`."""
        return self.growth_at(step).learning_rate * (1 - self.fall_at(step))

    def fall_at(self, step: int) -> float:
        """Return how far the learning rate has fallen at `step`, from 0 to 1 at the end."""
        if not self.decay_share:
            return 0.0
        left = (self.num_steps - step) / self.num_steps
        return 1 - min(1.0, left / self.decay_share)

    def mapping_rate_at(self, step: int) -> float:
        """Return the learning rate of the mapping at `step`."""
        return self.rate_at(step) * (1 + (self.mapping_rise - 1) * self.fall_at(step))

    def _steps_per_side(self) -> list[int]:
        return [round(part.kimg * 1000 / self.batch_size) for part in self.growth]
