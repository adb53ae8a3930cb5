"""The command `nfe verify`: which files are not the bytes that were written."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.exits import errors_to_exit_codes, fail
from apps.options import check_model
from apps.outcomes import printable
from apps.projects import enter_project

if TYPE_CHECKING:
    from nfe.verification import Difference

__all__ = ["verify"]

LOCKED = 4


def verify(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR]...", help="Model folders (default: the project around here)."
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Find files that are damaged, changed or missing: `nfe verify data/bundle/model`.

    Of a model folder every file is compared with its manifest.json. Without DIR, in a project:
    every output of a stage and every object of DVC's cache with dvc.lock, and the folders of
    models/.

    Exit code: 0 all is whole, 1 something differs, 2 wrong usage, 4 a run is going on.
    """
    with errors_to_exit_codes():
        count, differences = _verify_folders(folders) if folders else _verify_project()
    if json_:
        rows = [asdict(difference) for difference in differences]
        typer.echo(json.dumps({"num_files": count, "differences": rows}, indent=2))
    else:
        for difference in differences:
            typer.echo(f"{printable(difference.path)}: {printable(difference.problem)}")
        typer.echo(f"{count:,} files, {len(differences) or 'none'} of them not as recorded")
    if differences:
        raise typer.Exit(1)


def _verify_folders(folders: list[Path]) -> "tuple[int, list[Difference]]":
    from nfe.verification import verify_folder

    for folder in folders:
        check_model(folder, "DIR")
    results = [verify_folder(folder) for folder in folders]
    return sum(n for n, _ in results), [one for _, found in results for one in found]


def _verify_project() -> "tuple[int, list[Difference]]":
    root = enter_project()
    from flows.dvc_graph import find_cache, read_lock
    from flows.lock import LockedError, run_lock
    from flows.server import quiet_environment
    from flows.verify import verify_cache, verify_outputs
    from nfe.files import MANIFEST
    from tasks.stage import Progress

    quiet_environment(root)
    committed = [file.parent for file in sorted(Path("models").glob(f"*/{MANIFEST}"))]
    try:
        with run_lock(root):
            cache, progress = find_cache(root), Progress("verify")
            stages = read_lock(root)
            in_cache, damaged = verify_cache(stages, cache, progress)
            in_outputs, differing = verify_outputs(root, stages, cache, progress)
            in_models, changed = _verify_folders(committed)
    except LockedError as error:
        fail(LOCKED, str(error))
    return in_cache + in_outputs + in_models, [*damaged, *differing, *changed]
