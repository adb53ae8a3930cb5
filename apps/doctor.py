"""The command `nfe doctor`: what this installation and machine can do."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.exits import fail

if TYPE_CHECKING:
    from nfe.environment import Part

__all__ = ["GIVES", "doctor"]

PACKAGE = "neural-face-editor"
GIVES = {
    "eval": "FID in the stage evaluate_gan, with evaluate_gan.inception_weights",
    "ui": "the page, `nfe ui`",
    "bot": "the bot on Telegram, `nfe bot`",
    "video": "MP4, `nfe interpolate walk.mp4`",
    "dev": "the checks and tests of `make test`",
    "bench": "a peer beside ours in benchmarks.train_gan and benchmarks.gan_quality",
}


def doctor(
    json_: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what is installed, what is missing and what it would give: `nfe doctor --json`.

    Exit code: 0 if all main parts are there in the right versions, else 1.
    """
    from importlib.metadata import PackageNotFoundError

    from nfe.environment import find_parts

    try:
        parts = find_parts(PACKAGE)
    except PackageNotFoundError:
        fail(1, f"{PACKAGE} must be installed, it is not; pip install -e . in its folder")
    machine = _describe_machine()
    if json_:
        typer.echo(json.dumps({**machine, "parts": [asdict(part) for part in parts]}, indent=2))
    else:
        _print(machine, parts)
    if not machine["device"] or any(part.state != "ok" for part in parts if not part.extra):
        raise typer.Exit(1)


def _describe_machine() -> dict[str, Any]:
    """Return python, system, cores, device and bf16; the last two None where torch fails."""
    has_affinity = hasattr(os, "sched_getaffinity")
    machine: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count(),
        "device": None,
        "bf16": None,
    }
    try:
        from tasks.stage import has_bf16, pick_device

        machine["device"] = pick_device()
        machine["bf16"] = has_bf16(machine["device"])
    except (ImportError, OSError) as error:  # torch is missing, or its libraries are
        machine["problem"] = str(error).splitlines()[0]
    return machine


def _print(machine: dict[str, Any], parts: "Sequence[Part]") -> None:
    typer.echo(f"{'ok':<9}python {machine['python']}, {machine['system']}")
    if machine["device"]:
        bf16 = "bf16" if machine["bf16"] else "no bf16"
        typer.echo(f"{'ok':<9}{machine['device']}, {bf16}, {machine['cores']} cores")
    else:
        typer.echo(f"{'wrong':<9}torch cannot be used: {machine['problem']}; install it again")
    for part in parts:
        typer.echo(f"{part.state:<9}{_describe(part)}")


def _describe(part: "Part") -> str:
    if part.state == "ok":
        return f"{part.name} {part.version}"
    found = f"{part.name} {part.version or ''}".rstrip()
    wanted = f"{found}, needs {part.needed}"
    if part.extra:
        return f"{wanted}; would give {GIVES[part.extra]}: pip install -e '.[{part.extra}]'"
    return f"{wanted}: pip install -e ."
