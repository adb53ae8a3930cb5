"""What the stages that invert pictures share: settings of the optimisation, models, pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tasks.stage import Progress, StageParams, has_bf16

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from nfe.gan.networks import Generator
    from nfe.inversion.encoders import Encoder
    from nfe.inversion.losses import FeatureMaps

GENERATOR = Path("data/train_gan/model")
ENCODER = Path("data/train_encoder/model")
BASELINES = Path("data/train_encoder/baselines")
INDEX = "index.json"  # of the baselines: which there are
TAGGER = Path("data/train_tagger/tagger")
JUDGE = Path("data/train_tagger/judge")
HOLDOUT = Path("data/curate/holdout.zip")

Weight = Annotated[float, Field(ge=0, strict=False)]
Share = Annotated[float, Field(ge=0, lt=1, strict=False)]


class Optimisation(StageParams):
    """Settings of one optimisation of codes; see nfe.inversion.optimise.image2stylegan."""

    num_steps: Annotated[int, Field(ge=0, le=100_000)]
    learning_rate: Annotated[float, Field(gt=0, le=10, strict=False)]
    pixel_weight: Weight
    perceptual_weight: Weight
    min_progress: Share


class Refinement(Optimisation):
    """Settings of a refinement of the encoder's codes; see nfe.inversion.optimise.refine."""

    domain_weight: Weight


def refine_codes(
    images: "Tensor",
    w_plus: "Tensor",
    generator: "Generator",
    encoder: "Encoder",
    feature_maps: "FeatureMaps",
    settings: Refinement,
    batch_size: int,
    stage: str,
) -> "Tensor":
    """Refine codes as the settings say, in the device's best precision, with progress."""
    from nfe.inversion.optimise import refine

    return refine(
        images,
        w_plus,
        generator,
        encoder,
        feature_maps,
        **settings.model_dump(),
        batch_size=batch_size,
        bf16=has_bf16(str(images.device.type)),
        on_progress=Progress(stage),
    )


def encode(encoder: "Encoder", images: "Tensor", batch_size: int) -> "Tensor":
    """Return E(images), [N, num_ws, w_dim], batch by batch."""
    import torch

    with torch.no_grad():
        return torch.cat([encoder(batch) for batch in images.split(batch_size)])


def synthesise(generator: "Generator", w_plus: "Tensor", batch_size: int) -> "Tensor":
    """Return G(w_plus) as a picture file would hold it, [N, 3, H, W], in [-1, 1]."""
    import torch

    with torch.no_grad():
        parts = [generator.synthesis(batch) for batch in w_plus.split(batch_size)]
    return torch.cat(parts).clamp(-1, 1)


def picture_columns(columns: "list[np.ndarray]", num_rows: int) -> "np.ndarray":
    """Lay sets of pictures side by side, one row per picture.

    Args:
        columns: One set of pixels [N, H, W, 3] per column.
        num_rows: Most rows to show.

    Returns:
        Pixels of the grid, [H', W', 3].
    """
    import numpy as np

    from nfe.images import make_grid

    rows = np.stack([column[:num_rows] for column in columns], axis=1)  # [rows, columns, ...]
    return make_grid(rows.reshape(-1, *rows.shape[2:]), columns=len(columns))
