"""The command `nfe directions`: what a generator varies by itself, without labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from apps.exits import errors_to_exit_codes
from apps.options import (
    DEFAULT_MODEL,
    Model,
    Overwrite,
    check_model,
    check_new,
    parse_layers,
    parse_seeds,
)
from nfe.errors import ParamsError

if TYPE_CHECKING:
    from nfe.directions import Method

__all__ = ["directions"]

MAX_SEEDS = 32
ARRAYS, TABLE = "directions.npz", "directions.png"


def directions(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the results.")],
    model: Model = DEFAULT_MODEL,
    method: Annotated[
        str, typer.Option(metavar="sefa|pca", help="From the weights, or from sampled codes.")
    ] = "sefa",
    num: Annotated[int, typer.Option(help="How many directions.")] = 8,
    layers: Annotated[
        str, typer.Option(help="Layers that move: 4, 0-3, 4- (to the last), -3.")
    ] = "0-",
    seeds: Annotated[str, typer.Option(help="Faces to show them on, such as 0-3.")] = "0-3",
    overwrite: Overwrite = False,
) -> None:
    """Find directions without labels: `nfe directions found --method sefa --layers 0-3`.

    Writes OUT/directions.npz with directions, scales (standard deviations of w), mean, method and
    layers, and OUT/directions.png: faces from -3 to 3 standard deviations along each direction.
    """
    with errors_to_exit_codes():
        if method not in ("sefa", "pca"):
            raise ParamsError(f"--method must be sefa or pca, got {method!r}; see --help")
        check_model(model)
        chosen = parse_seeds(seeds, "--seeds", MAX_SEEDS)
        check_new([out / ARRAYS, out / TABLE], overwrite)
        _write(out, model, cast("Method", method), num, layers, chosen)
    typer.echo(f"{num} directions in {out / ARRAYS} and {out / TABLE}")


def _write(
    out: Path, model: Path, method: "Method", num: int, layers: str, seeds: list[int]
) -> None:
    from nfe.direction_tables import direction_arrays, direction_table
    from nfe.directions import find_directions, sample_w
    from nfe.files import sweep_leftovers, write_bytes, write_npz
    from nfe.images import encode_png
    from nfe.model_folders import load_model_generator
    from tasks.stage import pick_device

    device = pick_device()
    generator = load_model_generator(model, device)
    chosen = parse_layers(layers, generator.num_ws)
    if not 1 <= num <= generator.w_dim:
        raise ParamsError(f"--num must be 1 to {generator.w_dim}, got {num}; w has no more")
    found = find_directions(generator, sample_w(generator, device), method, num, chosen)
    table = direction_table(generator, found, chosen, seeds, device)
    sweep_leftovers(out)
    write_npz(out / ARRAYS, direction_arrays(found, method, chosen))
    write_bytes(out / TABLE, encode_png(table))
