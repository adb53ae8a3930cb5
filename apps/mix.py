"""The command `nfe mix`: a table of faces that take some layers from others."""

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
    parse_layers,
    parse_seeds,
)

__all__ = ["mix"]

MAX_SEEDS = 32


def mix(
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="Table to write.")],
    rows: Annotated[str, typer.Option(help="Seeds of the faces that are changed.")],
    columns: Annotated[str, typer.Option(help="Seeds of the faces that give layers.")],
    layers: Annotated[
        str, typer.Option(help="Layers taken from the columns: 4, 0-3, 4- (to the last), -3.")
    ],
    model: Model = DEFAULT_MODEL,
    truncation: Truncation = DEFAULT_TRUNCATION,
    overwrite: Overwrite = False,
) -> None:
    """Mix styles: `nfe mix mix.png --rows 1,2,3 --columns 4,5,6,7 --layers 4-`.

    The first column and the first row show the sources. Early layers carry pose and shape, late
    ones colours.
    """
    with errors_to_exit_codes():
        check_suffix(out, ".png")
        check_model(model)
        check_truncation(truncation)
        row_seeds = parse_seeds(rows, "--rows", MAX_SEEDS)
        column_seeds = parse_seeds(columns, "--columns", MAX_SEEDS)
        check_new([out], overwrite)
        _write(out, row_seeds, column_seeds, layers, model, truncation)
    typer.echo(f"{len(row_seeds)} x {len(column_seeds)} faces in {out}")


def _write(
    out: Path, rows: list[int], columns: list[int], layers: str, model: Path, truncation: float
) -> None:
    from nfe.exploring import render_mixtures, w_from_seeds
    from nfe.files import write_bytes
    from nfe.images import encode_png
    from nfe.model_folders import load_model_generator
    from nfe.picture_tables import picture_table, shown_side
    from tasks.stage import pick_device

    device = pick_device()
    generator = load_model_generator(model, device)
    chosen = parse_layers(layers, generator.num_ws)
    row_codes = w_from_seeds(generator, rows, truncation, device)
    column_codes = w_from_seeds(generator, columns, truncation, device)
    pixels = render_mixtures(generator, row_codes, column_codes, chosen, device)
    row_names, column_names = (["", *map(str, seeds)] for seeds in (rows, columns))
    table = picture_table(pixels, row_names, column_names, shown_side(generator.resolution))
    write_bytes(out, encode_png(table))
