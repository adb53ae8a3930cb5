"""How an encoder is trained: settings, and what follows from them at each step."""

from dataclasses import dataclass

__all__ = ["EncoderSettings", "LatentDiscriminatorSettings"]


@dataclass(frozen=True)
class LatentDiscriminatorSettings:
    """Settings of D_w, which tells codes of the encoder from those of the mapping.

    Attributes:
        learning_rate: Of Adam(0, 0.99), constant.
        r1_gamma: Weight of R1, for codes in deviations of w.
        r1_interval: Steps between R1 penalties.
        pool_size: Past codes that stand in for half of the newest ones; 0 for none.
    """

    learning_rate: float
    r1_gamma: float
    r1_interval: int
    pool_size: int


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
        discriminator_learning_rate: Of Adam(0, 0.99) for D, constant; 0 leaves D as it is.
        pixel_weight: Of the mean squared difference of pixels.
        perceptual_weight: Of the distance of feature maps.
        adversarial_weight: Of softplus(-D(G(E(x)))).
        latent_weight: Of the squared error of E(G(w)) for sampled w, in deviations of w.
        similarity_weight: Of one minus the cosine of the embeddings of x and G(E(x)).
        delta_weight: Of the lengths of the layers' differences from the first, summed.
        latent_adversarial_weight: Of softplus(-D_w(w)), mean over the layers' codes of E(x).
        adversarial_interval: Steps between those with D; its gradient is scaled up by as much.
        r1_gamma: Weight of R1.
        r1_interval: Steps of D between R1 penalties.
        latent_discriminator: How D_w is trained.
        first_release: Share of the run before the first delta of an encoder with deltas is on.
        release_interval: Share of the run between that delta and the next, and so on.
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
    similarity_weight: float
    delta_weight: float
    latent_adversarial_weight: float
    adversarial_interval: int
    r1_gamma: float
    r1_interval: int
    latent_discriminator: LatentDiscriminatorSettings
    first_release: float
    release_interval: float
    bf16: bool
    checkpoint_steps: int

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""
        return round(self.kimg * 1000 / self.batch_size)

    def num_released_at(self, step: int, num_deltas: int) -> int:
        """Return how many of the deltas are on at `step`; the first ones of the layers are.

        Source: Tov et al. 2021 (e4e); shares of the run in place of counts of steps.
        """
        share = step / self.num_steps
        starts = (self.first_release + i * self.release_interval for i in range(num_deltas))
        return sum(share >= start for start in starts)
