"""Run one stage: `python -m tasks STAGE`, from the project's root. DVC calls it so."""

import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from nfe.errors import NFEError, ParamsError, StorageError
from nfe.files import sweep_leftovers
from tasks.inputs import changed_inputs, fingerprint, input_paths
from tasks.params import load_model, parse_params, select_values


def main(stage: str) -> None:
    """Read the stage's part of params.yaml, check it, and run the stage.

    Raises:
        ParamsError: If the stage or one of its parameters is not as it must be, or if an
            input changed while the stage ran: its outputs then belong to neither version.
    """
    params = parse_params(stage, _read_yaml("params.yaml"))
    before = _inputs(stage)
    folder = Path("data") / stage
    folder.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(folder)
    importlib.import_module(f"tasks.{stage}").run(params)
    changed = changed_inputs(before, _inputs(stage))
    if changed:
        raise ParamsError(
            f"inputs must stay as they are while the stage runs, "
            f"{', '.join(changed[:3])} changed meanwhile; run again"
        )


def _inputs(stage: str) -> dict[str, str]:
    values = _read_yaml("params.yaml")
    paths = input_paths(stage, _read_yaml("dvc.yaml"), values)
    return fingerprint(paths, select_values(load_model(stage), stage, values))


def _read_yaml(name: str) -> Any:
    try:
        return YAML(typ="safe").load(Path(name))
    except OSError as error:
        raise ParamsError(f"{name} must be readable, got: {error.strerror}") from error
    except YAMLError as error:
        raise ParamsError(f"{name} must be YAML, got: {' '.join(str(error).split())}") from error


def _stop(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)  # unwinds, so that half-written files are removed


def _fail(stage: str, message: str) -> NoReturn:
    print(f"\nerror: {stage}: {message}", file=sys.stderr, flush=True)
    sys.exit(1)


def _keep_traceback(stage: str) -> Path:
    path = Path(".nfe") / "logs" / f"{stage}.traceback.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(traceback.format_exc(), encoding="utf-8")
    return path


def run_and_exit(stage: str) -> None:
    """Run the stage; exit with 1 and one line on an error, 130 or 143 on a signal."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    try:
        main(stage)
    except NFEError as error:
        _fail(stage, str(error))
    except MemoryError:
        _fail(stage, "memory must suffice, it is used up; lower the stage's batch size")
    except OSError as error:
        path = _keep_traceback(stage)
        _fail(stage, str(StorageError(f"{error}; free space or check permissions ({path})")))
    except Exception as error:
        name = type(error).__name__
        _fail(
            stage, f"{name}: {error}; this is a fault of the program, see {_keep_traceback(stage)}"
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tasks STAGE")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime reads it when it is imported
    run_and_exit(sys.argv[1])
