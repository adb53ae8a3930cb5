"""What train_encoder tells of a trained encoder: figures and pictures of held-out faces."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.refinement import HOLDOUT

if TYPE_CHECKING:
    from torch import Tensor

    from nfe.inversion.training import EncoderTrainer

__all__ = ["evaluate", "write_grid"]

NUM_GRID_ROWS, NUM_GRID_PAIRS = 8, 6


def evaluate(trainer: "EncoderTrainer") -> dict[str, Any]:
    """Return the mean figures of the held-out faces' reconstructions."""
    from nfe.metrics.reconstruction import mse, psnr

    images, reconstructions = reconstruct(trainer)
    return {
        "num_heldout": len(images),
        "heldout_mse": float(mse(reconstructions, images).mean()),
        "heldout_psnr": float(psnr(reconstructions, images).mean()),
    }


def reconstruct(trainer: "EncoderTrainer") -> "tuple[Tensor, Tensor]":
    """Return the held-out faces and their reconstructions, [N, 3, H, W] each."""
    from nfe.images import images_from_pixels, read_pixels_zip
    from tasks.refinement import encode, synthesise

    images = images_from_pixels(read_pixels_zip(HOLDOUT)[1]).to(trainer.device)
    batch_size = trainer.settings.batch_size
    w_plus = encode(trainer.encoder, images, batch_size)
    return images, synthesise(trainer.generator, w_plus, batch_size)


def write_grid(trainer: "EncoderTrainer", path: Path) -> None:
    """Write a picture of held-out faces beside their reconstructions."""
    from nfe.files import write_bytes
    from nfe.images import encode_png, pixels_from_images
    from tasks.refinement import picture_columns

    pixels, shown = (pixels_from_images(images) for images in reconstruct(trainer))
    columns = [
        part[start::NUM_GRID_PAIRS]
        for start in range(min(NUM_GRID_PAIRS, len(pixels) // NUM_GRID_ROWS or 1))
        for part in (pixels, shown)
    ]
    num_rows = min(NUM_GRID_ROWS, *(len(column) for column in columns))
    write_bytes(path, encode_png(picture_columns(columns, num_rows)))
