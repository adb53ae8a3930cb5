"""Settings of the ways to invert pictures that evaluate_encoder compares."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator

from tasks.refinement import Optimisation, Refinement, Share, Weight
from tasks.stage import StageParams

__all__ = ["Blurred", "GeneratorRefinement", "Method", "MethodSettings", "MultiCode"]

Method = Literal["in_domain", "image2stylegan", "nfe_z", "mganprior", "generator_refinement"]
Rate = Annotated[float, Field(gt=0, le=10, strict=False)]
Steps = Annotated[int, Field(ge=0, le=100_000)]


class Blurred(StageParams):
    """Settings of nfe_z; see nfe.inversion.blurred.optimise_z."""

    num_steps: Steps
    learning_rate: Rate
    blur_kernel: Annotated[int, Field(ge=1, le=31)]
    blur_sigma: Annotated[float, Field(gt=0, le=1000, strict=False)]
    prior_weight: Weight
    min_progress: Share

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
    min_progress: Share


class GeneratorRefinement(StageParams):
    """Settings of generator_refinement; see nfe.inversion.generator_refinement."""

    rank: Annotated[int, Field(ge=1, le=512)]
    num_steps: Steps
    learning_rate: Rate
    pixel_weight: Weight
    perceptual_weight: Weight
    locality_weight: Weight
    locality_reach: Annotated[float, Field(gt=0, le=1, strict=False)]
    min_progress: Share


@dataclass(frozen=True)
class MethodSettings:
    """Settings of every method.

    Attributes:
        in_domain: From the encoder's codes.
        image2stylegan: From the mean code.
        nfe_z: From the sampled z nearest to the encoder's answer.
        mganprior: From the encoder's codes.
        generator_refinement: Around the encoder's codes.
        batch_size: Images at a time.
        seed: Of what a method draws.
    """

    in_domain: Refinement
    image2stylegan: Optimisation
    nfe_z: Blurred
    mganprior: MultiCode
    generator_refinement: GeneratorRefinement
    batch_size: int
    seed: int
