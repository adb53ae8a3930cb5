"""What the last run did, kept in the project until the next one."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nfe.files import write_json

__all__ = ["StageResult", "format_results", "load_results", "save_results"]

FILE = Path(".nfe") / "last_run.json"


@dataclass(frozen=True)
class StageResult:
    """How a stage ended: Completed, Cached, Restored, Failed or Interrupted."""

    stage: str
    state: str
    why: str
    seconds: float = 0.0
    peak_mib: float = 0.0


def save_results(root: Path, results: Sequence[StageResult]) -> None:
    """Keep how each stage of a run ended."""
    write_json(root / FILE, [asdict(result) for result in results])


def load_results(root: Path) -> list[StageResult]:
    """Return what the last run of the project did; nothing when that is not known."""
    try:
        rows = json.loads((root / FILE).read_text(encoding="utf-8"))
        return [StageResult(**row) for row in rows]
    except (OSError, ValueError, TypeError):
        return []


def format_results(results: Sequence[StageResult]) -> str:
    """Return a table of the stages: state, seconds, peak memory, reason."""
    lines = [f"{'stage':<18}{'state':<13}{'seconds':>8}{'MiB':>7}  why"]
    for result in results:
        seconds = f"{result.seconds:.1f}" if result.seconds else "-"
        memory = f"{result.peak_mib:.0f}" if result.peak_mib else "-"
        why = result.why if len(result.why) <= 100 else result.why[:97] + "..."
        lines.append(f"{result.stage:<18}{result.state:<13}{seconds:>8}{memory:>7}  {why}")
    return "\n".join(lines)
