"""The command `nfe interpolate`: an animation from face to face."""

from pathlib import Path
from typing import Annotated

import typer

from apps.exits import errors_to_exit_codes
from apps.options import (
    DEFAULT_MODEL,
    DEFAULT_TRUNCATION,
    Model,
    Overwrite,
    Truncation,
    check_model,
    check_new,
    check_suffix,
    check_truncation,
    parse_seeds,
)
from nfe.errors import ParamsError

__all__ = ["interpolate"]

MAX_SEEDS = 100
MAX_FRAMES = 240
FRAMES_PER_SECOND = 24


def interpolate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Animation to write, .webp or .mp4.")],
    seeds: Annotated[str, typer.Option(help="Such as 1,2,3 or 0-15; two at least.")],
    model: Model = DEFAULT_MODEL,
    frames: Annotated[int, typer.Option(help="From one face to the next; 24 are a second.")] = 24,
    truncation: Truncation = DEFAULT_TRUNCATION,
    overwrite: Overwrite = False,
) -> None:
    """Walk from face to face and back to the first: `nfe interpolate walk.webp --seeds 1,2,3`.

    The walk is straight in w. Writes a lossless WebP that runs for ever, or an MP4 (extra
    [video]).
    """
    with errors_to_exit_codes():
        check_suffix(out, ".webp", ".mp4")
        check_model(model)
        check_truncation(truncation)
        chosen = parse_seeds(seeds, "--seeds", MAX_SEEDS)
        if len(chosen) < 2:
            raise ParamsError(f"--seeds must be two at least, got {seeds!r}; add one")
        if not 1 <= frames <= MAX_FRAMES:
            raise ParamsError(f"--frames must be 1 to {MAX_FRAMES}, got {frames}; 24 are a second")
        check_new([out], overwrite)
        _write(out, chosen, model, frames, truncation)
    typer.echo(f"{len(chosen) * frames} frames in {out}")


def _write(out: Path, seeds: list[int], model: Path, num_frames: int, truncation: float) -> None:
    from nfe.exploring import interpolate_loop, render_pixels, w_from_seeds
    from nfe.files import write_bytes
    from nfe.model_folders import load_model_generator
    from nfe.picture_tables import encode_loop
    from nfe.video import encode_mp4
    from tasks.stage import pick_device

    device = pick_device()
    generator = load_model_generator(model, device)
    w = interpolate_loop(w_from_seeds(generator, seeds, truncation, device), num_frames)
    pixels = render_pixels(generator, generator.broadcast(w), device)
    encode = encode_mp4 if out.suffix.lower() == ".mp4" else encode_loop
    write_bytes(out, encode(pixels, FRAMES_PER_SECOND))
