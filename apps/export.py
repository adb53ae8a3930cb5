"""The command `nfe export`: models and pictures for other programs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from apps.exits import errors_to_exit_codes
from apps.options import (
    DEFAULT_MODEL,
    Model,
    Overwrite,
    check_empty,
    check_model,
    check_new,
    check_suffix,
)
from nfe.errors import ParamsError

__all__ = ["export"]

DEFAULT_PICTURES = Path("data/curate")


def export(
    what: Annotated[
        Literal["onnx", "boundaries", "stylegan-zip", "imagefolder"],
        typer.Argument(metavar="WHAT", help="onnx, boundaries, stylegan-zip or imagefolder."),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder, or zip, to write.")],
    model: Model = DEFAULT_MODEL,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help=f"Folder or zip of pictures (default: {DEFAULT_PICTURES})."
        ),
    ] = None,
    overwrite: Overwrite = False,
    json_: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write for other programs: `nfe export onnx networks --model data/bundle/model`.

    Of the model: onnx (mapping, synthesis and encoder for any number of inputs, checked against
    torch) and boundaries (a .npy each, as InterFaceGAN has them). Of --pictures: stylegan-zip
    (for StyleGAN2-ADA and StyleGAN3) and imagefolder (PNGs and metadata.jsonl).
    """
    with errors_to_exit_codes():
        of_pictures = what in ("stylegan-zip", "imagefolder")
        if pictures is not None and not of_pictures:
            raise ParamsError(f"--pictures must be left out for {what}, got {pictures}; remove it")
        if what == "stylegan-zip":
            check_suffix(out, ".zip")
            check_new([out], overwrite)
        else:
            check_empty(out, overwrite)
        written: Mapping[str, Any]
        if of_pictures:
            written = _export_pictures(what, out, pictures or DEFAULT_PICTURES)
        else:
            check_model(model)
            write = _export_networks if what == "onnx" else _export_boundaries
            written = write(out, model)
    if json_:
        typer.echo(json.dumps({"out": str(out), **written}))
    elif of_pictures:
        typer.echo(f"{written['num_pictures']} pictures in {out}")
    else:
        for name, note in written.items():
            typer.echo(f"{out / name}: {note}")


def _export_networks(out: Path, model: Path) -> dict[str, str]:
    from nfe.bundle import load_bundle
    from nfe.files import sweep_leftovers, write_json
    from nfe.model_export import export_network

    bundle = load_bundle(model, "cpu", bf16=False)
    generator, side = bundle.generator, bundle.generator.resolution
    codes, images = [generator.num_ws, generator.w_dim], [3, side, side]
    networks: Mapping[str, Any] = {
        "mapping": (generator.mapping, [generator.z_dim], "z", "w"),
        "synthesis": (generator.synthesis, codes, "w_plus", "images"),
        "encoder": (bundle.encoder, images, "images", "w_plus"),
    }
    sweep_leftovers(out)
    differences = {
        f"{name}.onnx": export_network(out / f"{name}.onnx", *told)
        for name, told in networks.items()
    }
    shapes = {"z": [generator.z_dim], "w": [generator.w_dim], "w_plus": codes, "images": images}
    description = {
        "model": bundle.description["name"],
        "model_sha256": bundle.sha256,
        "shapes": {name: ["N", *shape] for name, shape in shapes.items()},
        "images": "RGB, in [-1, 1]",
        "truncation": "w_avg + psi * (w - w_avg)",
        "w_avg": generator.w_avg.tolist(),
        "greatest_difference_from_torch": differences,
    }
    write_json(out / "networks.json", description)
    notes = {name: f"within {value:.1e} of torch" for name, value in differences.items()}
    return {**notes, "networks.json": "shapes, ranges and w_avg"}


def _export_boundaries(out: Path, model: Path) -> dict[str, str]:
    from nfe.boundaries import load_boundaries
    from nfe.bundle import read_description
    from nfe.files import sweep_leftovers, write_json
    from nfe.model_export import boundary_file, write_boundary

    name = read_description(model)["name"]
    boundaries = load_boundaries(model / "boundaries")
    sweep_leftovers(out)
    table, written = {}, {}
    for boundary in boundaries:
        file = boundary_file(name, boundary)
        write_boundary(out / file, boundary)
        table[file] = {
            "attribute": boundary.attribute,
            "value": boundary.value,
            "space": boundary.space,
            "intercept": boundary.intercept,
            "sigma": boundary.sigma,
        }
        written[file] = f"[1, {len(boundary.normal)}], space {boundary.space}"
    write_json(out / "boundaries.json", table)
    return {**written, "boundaries.json": "intercepts, and deviations of the distances"}


def _export_pictures(what: str, out: Path, source: Path) -> dict[str, int]:
    from nfe.files import sweep_leftovers
    from nfe.picture_export import list_curated, write_imagefolder, write_stylegan_zip
    from nfe.sources import list_source

    is_curated = (source / "index.parquet").is_file()
    found = list_curated(source) if is_curated else list_source(source)
    sweep_leftovers(out.parent if what == "stylegan-zip" else out)
    write = write_stylegan_zip if what == "stylegan-zip" else write_imagefolder
    return {"num_pictures": write(out, found)}
