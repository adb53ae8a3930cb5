"""Sample the finished generator: images of consecutive seeds, with their codes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tasks.stage import Progress, StageParams, pick_device, write_metrics

FOLDER = Path("data/sample")
GRID_IMAGES = 96


class Params(StageParams):
    """Section `sample` of params.yaml."""

    num_images: Annotated[int, Field(ge=1, le=10_000_000)]
    first_seed: Annotated[int, Field(ge=0)]
    truncation_psi: Annotated[float, Field(ge=0, le=2, strict=False)]
    batch_size: Annotated[int, Field(ge=1, le=4096)]


def run(params: Params) -> None:
    """Write images.zip, codes.npz and a sheet of the first images."""
    import time

    import numpy as np

    from nfe.files import write_bytes, write_npz, write_stored_zip
    from nfe.gan.storage import load_generator
    from nfe.images import encode_png, make_grid, pixels_from_images
    from nfe.sampling import sample_batches

    device = pick_device()
    generator = load_generator(Path("data/train_gan/model"), device)
    seeds = range(params.first_seed, params.first_seed + params.num_images)
    progress, started = Progress("sample"), time.monotonic()
    z_parts: list[np.ndarray] = []
    w_parts: list[np.ndarray] = []
    sheet: list[np.ndarray] = []

    def members() -> Iterator[tuple[str, bytes]]:
        done = 0
        batches = sample_batches(generator, seeds, params.batch_size, params.truncation_psi, device)
        for z, w, images in batches:
            z_parts.append(z.numpy())
            w_parts.append(w.numpy())
            pixels = pixels_from_images(images)
            sheet.extend(pixels[: GRID_IMAGES - len(sheet)])
            for seed, picture in zip(seeds[done:], pixels, strict=False):
                yield f"seed{seed:010d}.png", encode_png(picture)
            done += len(pixels)
            progress(done, len(seeds))

    write_stored_zip(FOLDER / "images.zip", members())
    write_npz(
        FOLDER / "codes.npz",
        {
            "seeds": np.array(seeds, dtype=np.int64),
            "z": np.concatenate(z_parts),
            "w": np.concatenate(w_parts),
        },
    )
    write_bytes(FOLDER / "samples.png", encode_png(make_grid(np.stack(sheet), columns=12)))
    seconds = time.monotonic() - started
    write_metrics(
        FOLDER, {"num_images": len(seeds), "images_per_second": round(len(seeds) / seconds)}
    )
