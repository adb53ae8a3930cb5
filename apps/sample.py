"""The command `nfe sample`: the faces of seeds as pictures."""

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

__all__ = ["sample"]

MAX_SEEDS = 100_000
SHEET_SIZE = 100  # most faces on the contact sheet
SHEET_COLUMNS = 8


def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the pictures.")],
    model: Model = DEFAULT_MODEL,
    seeds: Annotated[str, typer.Option(help="Such as 0-15 or 1,2,3.")] = "0-15",
    truncation: Truncation = DEFAULT_TRUNCATION,
    sheet: Annotated[
        Path | None, typer.Option(help="PNG to write of the first 100, with their seeds.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw new faces, one per seed: `nfe sample faces --seeds 0-15 --sheet faces.png`.

    Writes OUT/0000.png and so on. A seed is the same picture in every run.
    """
    with errors_to_exit_codes():
        check_model(model)
        check_truncation(truncation)
        chosen = parse_seeds(seeds, "--seeds", MAX_SEEDS)
        paths = [out / f"{seed:04d}.png" for seed in chosen]
        if sheet is not None:
            check_suffix(sheet, ".png")
        check_new([*paths, *([sheet] if sheet else [])], overwrite)
        _write(out, paths, chosen, model, truncation, sheet)
    typer.echo(f"{len(paths)} pictures in {out}")


def _write(
    out: Path,
    paths: list[Path],
    seeds: list[int],
    model: Path,
    truncation: float,
    sheet: Path | None,
) -> None:
    import numpy as np

    from nfe.exploring import render_pixels, w_from_seeds
    from nfe.files import sweep_leftovers, write_bytes
    from nfe.images import encode_png
    from nfe.model_folders import load_model_generator
    from nfe.picture_tables import contact_sheet, shown_side
    from tasks.stage import Progress, pick_device

    device = pick_device()
    generator = load_model_generator(model, device)
    sweep_leftovers(out)
    progress, shown = Progress("sample"), []
    for number, (path, seed) in enumerate(zip(paths, seeds, strict=True), 1):
        w = w_from_seeds(generator, [seed], truncation, device)
        picture = render_pixels(generator, generator.broadcast(w), device)[0]
        write_bytes(path, encode_png(picture))
        shown += [picture] if number <= SHEET_SIZE and sheet is not None else []
        progress(number, len(paths))
    if sheet is not None:
        names = [str(seed) for seed in seeds[:SHEET_SIZE]]
        side = shown_side(generator.resolution)
        write_bytes(sheet, encode_png(contact_sheet(np.stack(shown), names, SHEET_COLUMNS, side)))
