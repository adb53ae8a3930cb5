"""The flows that deployments run (prefect.yaml): the pipeline, and the edit of a watched folder.

A worker runs them in a process of their own, in the project's folder.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.history import save_results
from flows.lock import LockedError, run_lock
from flows.pipeline import Run, child_environment, default_jobs, plan_stages, run_stages
from flows.processes import Processes
from nfe.edit_records import RECORD, Records
from nfe.errors import NFEError

__all__ = ["edit_folder", "folder_state", "pipeline"]

RUNNER: Any = ThreadPoolTaskRunner(max_workers=default_jobs())
ALL_DONE, SOME_FAILED, BUSY = 0, 3, 4  # exit codes of `nfe edit`


@flow(name="pipeline", task_runner=RUNNER, persist_result=False)
def pipeline(until: str | None = None, force: Sequence[str] = ()) -> State[Any]:
    """Bring every stage up to date, as `nfe run` does.

    Args:
        until: Run this stage and those it needs; all that the results need otherwise.
        force: Stages to run from their beginning.
    """
    root = Path.cwd()
    run = Run(root, until, frozenset(force), default_jobs(), write=_print)
    try:
        with run_lock(root):
            return run_stages(run, plan_stages(run))
    except LockedError as error:
        return Completed(name="Busy", message=str(error))
    except NFEError as error:
        return Failed(message=str(error))
    finally:
        run.processes.stop_all()  # a cancelled run leaves none behind
        if run.results:
            save_results(root, run.results)


@flow(name="edit-folder", persist_result=False)
def edit_folder(
    folder: str,
    out: str,
    changes: Mapping[str, str],
    keep: Sequence[str],
    model: str,
) -> State[Any]:
    """Edit what is new in a folder, as `nfe edit` does: what is done already is not done again.

    Args:
        folder: The folder that is watched, with its sub-folders.
        out: Where the results go.
        changes: Attribute -> wanted value.
        keep: Attributes that must stay.
        model: Model folder.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    if not any(Path(folder).iterdir()):
        return Completed(name="Empty", message=f"nothing is in {folder}")
    command = [sys.executable, "-m", "apps.cli", "edit", folder, "--out", out, "--model", model]
    for attribute, value in changes.items():
        command += ["--set", f"{attribute}={value}"]
    for attribute in keep:
        command += ["--keep", attribute]
    before = dict(Records(Path(out)).rows)
    said: list[str] = []

    def hear(piece: bytes) -> None:
        _print(piece)
        said.append(piece.decode(errors="replace"))

    processes = Processes()
    try:
        ended = processes.run(command, Path.cwd(), child_environment(num_jobs=1), hear)
    finally:
        processes.stop_all()
    after = Records(Path(out)).rows
    new = [row for name, row in after.items() if row != before.get(name)]
    if new:
        _show_rows(new, Path(out))
    return folder_state(ended.code, len(new), "".join(said))


def folder_state(code: int, num_new: int, said: str) -> State[Any]:
    """Return the state that an exit code of `nfe edit` means.

    Args:
        code: The exit code.
        num_new: How many files have a new row.
        said: What the command printed.
    """
    if code == BUSY:
        return Completed(name="Busy", message="another run edits into the same folder")
    if code in (ALL_DONE, SOME_FAILED) and not num_new:
        return Completed(name="Unchanged", message="no new files")
    if code == SOME_FAILED:
        return Completed(name="SomeFailed", message=f"of {num_new} new files not all were edited")
    if code == ALL_DONE:
        return Completed(message=f"{num_new} new files")
    lines = [line for line in said.splitlines() if line.strip()]
    return Failed(message=lines[-1] if lines else f"nfe edit ended with code {code}")


def _show_rows(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    shown = [
        {"picture": row["input"], "status": row["status"], "result or reason": _result(row)}
        for row in rows
    ]
    create_table_artifact(shown, "edited-pictures", f"New since the last run; {out / RECORD}")


def _result(row: Mapping[str, Any]) -> str:
    return str(row["output"] or row.get("reason", ""))


def _print(piece: bytes) -> None:
    sys.stderr.write(piece.decode(errors="replace"))
    sys.stderr.flush()
