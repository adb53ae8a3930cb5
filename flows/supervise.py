"""Runs the flow in a thread, so that the main thread answers a signal at once."""

import os
import signal
import sys
import threading
from collections.abc import Sequence

from flows.pipeline import Run, StageResult, run_flow
from flows.server import temporary_server
from nfe.errors import NFEError

__all__ = ["end_process", "format_results", "supervise"]

PATIENCE_SECONDS = 1.5  # for the flow to end after its children were stopped


def supervise(run: Run) -> tuple[int, str]:
    """Run the flow; on SIGINT or SIGTERM stop every child and end.

    Returns:
        The exit code (0, 1, or 128 and the signal's number) and the error in one line, if any.
    """
    caught: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: caught.append(number))
    errors: list[NFEError] = []
    thread = threading.Thread(target=_run, args=(run, errors), daemon=True)
    with temporary_server():
        thread.start()
        while thread.is_alive() and not caught:
            thread.join(0.1)
        if caught:
            run.processes.stop_all()
            thread.join(PATIENCE_SECONDS)
    if caught:
        return 128 + caught[0], "stopped; the same command goes on from here"
    return (1, str(errors[0])) if errors else (0, "")


def format_results(results: Sequence[StageResult]) -> str:
    """Return a table of the stages: state, seconds, peak memory, reason."""
    lines = [f"{'stage':<18}{'state':<13}{'seconds':>8}{'MiB':>7}  why"]
    for result in results:
        seconds = f"{result.seconds:.1f}" if result.seconds else "-"
        memory = f"{result.peak_mib:.0f}" if result.peak_mib else "-"
        why = result.why if len(result.why) <= 100 else result.why[:97] + "..."
        lines.append(f"{result.stage:<18}{result.state:<13}{seconds:>8}{memory:>7}  {why}")
    return "\n".join(lines)


def _run(run: Run, errors: list[NFEError]) -> None:
    try:
        run_flow(run)
    except NFEError as error:
        errors.append(error)
    except Exception as error:  # the orchestration itself: no server, no space, ...
        words = " ".join(f"{type(error).__name__}: {error}".split())
        log_path = run.root / ".nfe" / "prefect" / "server.log"
        errors.append(NFEError(f"flow must run to its end, got {words}; see {log_path}"))


def end_process(code: int) -> None:
    """End at once: Prefect's threads would go on asking a server that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
