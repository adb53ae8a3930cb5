"""The command `nfe restore`: colours, size and missing parts of pictures of faces."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from apps.exits import errors_to_exit_codes
from apps.options import (
    DEFAULT_MODEL,
    MAX_SEED,
    Model,
    Overwrite,
    check_model,
    check_new,
    check_range,
    check_suffix,
)
from nfe.errors import ParamsError

if TYPE_CHECKING:
    from nfe.bundle import Bundle
    from nfe.file_discovery import Found
    from nfe.inversion.restoration import RestorationSettings
    from nfe.picture_restoring import Start, Task

__all__ = ["restore"]

FACTORS = (2, 4, 8)
DEFAULT_FACTOR = 4
MAX_CODES, MAX_STEPS = 100, 100_000
NOTHING_DONE, SOME_FAILED = 1, 3


def restore(
    input_: Annotated[Path, typer.Argument(metavar="IN", help="Picture of a face, or a folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="PNG to write, or a folder.")],
    task: Annotated[
        Literal["colourise", "super-resolve", "inpaint"], typer.Option(help="What to restore.")
    ],
    factor: Annotated[
        int | None, typer.Option(help="Of super-resolve: 2, 4 or 8 times as large (default: 4).")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Of inpaint: a picture, white where to fill.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    steps: Annotated[int, typer.Option(help="Steps of the search.")] = 100,
    codes: Annotated[int, typer.Option(help="Codes per face: more fit closer.")] = 4,
    layer: Annotated[
        int | None, typer.Option(help="Layers that see all the codes (default: half).")
    ] = None,
    learning_rate: Annotated[
        float, typer.Option(help="At the first step; a high one leaves what faces look like.")
    ] = 0.03,
    prior: Annotated[
        float, typer.Option(help="How strongly to stay near the mean face; 0 for not at all.")
    ] = 0.02,
    spread: Annotated[
        float, typer.Option(help="How far apart the codes start; 1: as samples.")
    ] = 0.5,
    start: Annotated[
        Literal["encoder", "mean"], typer.Option(help="Start from its answer, or the mean face.")
    ] = "encoder",
    seed: Annotated[int, typer.Option(help="Of the codes' places at the start.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Pictures at a time.")] = 8,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Largest width times height of a picture.")
    ] = 64_000_000,
    overwrite: Overwrite = False,
) -> None:
    """Restore faces: `nfe restore grey.png colours.png --task colourise`.

    Each picture is a square with one face. colourise keeps its luminance, inpaint what is known,
    both exactly and at its own size; super-resolve gives the model's size. Results are PNG.

    Exit code: 0 all done, 1 nothing done, 2 wrong usage, 3 some files failed.
    """
    with errors_to_exit_codes():
        times = _check_task(task, factor, mask)
        for option, value, low, high in (
            ("--steps", steps, 0, MAX_STEPS),
            ("--codes", codes, 1, MAX_CODES),
            ("--learning-rate", learning_rate, 1e-6, 10),
            ("--prior", prior, 0, 1000),
            ("--spread", spread, 0, 10),
            ("--seed", seed, 0, MAX_SEED),
            ("--batch-size", batch_size, 1, 1024),
        ):
            if value is not None:
                check_range(value, low, high, option)
        check_model(model)
        planned = _plan(input_, out, max_pixels)
        check_new([path for found, path in planned if not found.problem], overwrite)
        chosen = {
            "num_codes": codes,
            "num_steps": steps,
            "learning_rate": learning_rate,
            "layer": layer,
            "spread": spread,
            "prior_weight": prior,
            "seed": seed,
        }
        problems = _restore(
            planned, task, times, mask, model, chosen, start, batch_size, max_pixels
        )
    _report(planned, problems, out)


def _check_task(task: str, factor: int | None, mask: Path | None) -> int:
    """Check what belongs to one task only; return the factor, 1 for the other tasks."""
    if factor is not None and task != "super-resolve":
        raise ParamsError(f"--factor must be left out for {task}, got {factor}; remove it")
    if factor is not None and factor not in FACTORS:
        raise ParamsError(f"--factor must be 2, 4 or 8, got {factor}; choose one of them")
    if mask is not None and task != "inpaint":
        raise ParamsError(f"--mask must be left out for {task}, got {mask}; remove it")
    if mask is None and task == "inpaint":
        raise ParamsError(
            "--mask must be given for inpaint, got none; paint a PNG as large as the picture, "
            "white where to fill, black elsewhere"
        )
    return (factor or DEFAULT_FACTOR) if task == "super-resolve" else 1


def _plan(input_: Path, out: Path, max_pixels: int) -> "list[tuple[Found, Path]]":
    """Pair each picture with where its result goes; what is no picture in a folder is left out."""
    from nfe.file_discovery import Found, find_files, plan_outputs

    if input_.is_dir():
        if out.is_file():
            raise ParamsError(f"OUT must be a folder as IN is one, got {out}; choose another name")
        planned = plan_outputs(find_files([str(input_)], out, []), "png", max_pixels, ())
        pictures = [(item, out / item.output) for item in planned if not item.stray]
        if not pictures:
            raise ParamsError(f"IN must hold a picture at least, got {input_}; choose another")
        return pictures
    if not input_.is_file():
        raise ParamsError(f"IN must be a picture or a folder, got {input_}; check it")
    check_suffix(out, ".png")
    (item,) = plan_outputs([Found(input_, input_.name)], "png", max_pixels, ())
    return [(item, out)]


def _restore(
    planned: "list[tuple[Found, Path]]",
    task: "Task",
    factor: int,
    mask: Path | None,
    model: Path,
    chosen: dict[str, Any],
    start: "Start",
    batch_size: int,
    max_pixels: int,
) -> list[str]:
    from nfe.bundle import load_bundle
    from nfe.files import sweep_leftovers
    from nfe.folder_restoring import read_mask, restore_files
    from nfe.picture_restoring import Restorer
    from tasks.stage import Progress, pick_device

    unknown = None if mask is None else read_mask(mask, max_pixels)
    bundle = load_bundle(model, pick_device(), bf16=False)
    restorer = Restorer(task, factor, unknown, bundle, _settings(bundle, chosen), start)
    for folder in {path.parent for _, path in planned}:
        sweep_leftovers(folder)
    return restore_files(planned, restorer, batch_size, max_pixels, Progress("restore"))


def _settings(bundle: "Bundle", chosen: dict[str, Any]) -> "RestorationSettings":
    """Take what was not chosen from the model's refinement."""
    from nfe.inversion.restoration import RestorationSettings

    num_ws, refinement = bundle.generator.num_ws, bundle.description["refinement"]
    names = ("pixel_weight", "perceptual_weight")
    usual = {name: refinement[name] for name in names} | {"layer": num_ws // 2}
    given = {name: value for name, value in chosen.items() if value is not None}
    settings = RestorationSettings(**{**usual, **given})
    check_range(settings.layer, 2, num_ws - 1, "--layer")
    return settings


def _report(planned: "list[tuple[Found, Path]]", problems: list[str], out: Path) -> None:
    """Print what became of the files and end with the exit code for it."""
    failed = [problem for problem in problems if problem]
    for problem in failed:
        typer.echo(f"error: {problem}", err=True)
    done = len(planned) - len(failed)
    if not done:
        raise typer.Exit(NOTHING_DONE)
    typer.echo(f"{done} {'picture' if done == 1 else 'pictures'} in {out}")
    if failed:
        raise typer.Exit(SOME_FAILED)
