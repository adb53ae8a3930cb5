"""The command `nfe import-weights`: a public StyleGAN2 checkpoint as a model folder."""

from pathlib import Path
from typing import Annotated

import typer

from apps.exits import errors_to_exit_codes
from apps.options import Overwrite, check_empty

__all__ = ["import_weights"]

DESCRIPTION = "networks.json"  # --overwrite replaces a folder that has it, no other


def import_weights(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="FILE.pt", help="In rosinality/stylegan2-pytorch's layout.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Model folder to write.")],
    overwrite: Overwrite = False,
) -> None:
    """Take over a StyleGAN2 trained elsewhere: `nfe import-weights 550000.pt models/ffhq`.

    Only tensors are read: no code in the file is executed, and one that has some is refused. The
    folder serves `nfe sample`, `interpolate`, `mix`, `directions` and `info`; editing needs an
    encoder and boundaries too. The noise is the fixed one of the checkpoint.
    """
    with errors_to_exit_codes():
        check_empty(out, overwrite and (out / DESCRIPTION).is_file())
        from nfe.files import sha256_file
        from nfe.gan.import_weights import read_checkpoint, save_generator

        generator = read_checkpoint(checkpoint)
        provenance = {"file": checkpoint.name, "sha256": sha256_file(checkpoint)}
        save_generator(out, generator, provenance)
    size = f"{generator.resolution} px, {generator.num_ws} layers of w"
    typer.echo(f"{size}, in {out}")
