"""Runs the flow in a thread, so that the main thread answers a signal at once."""

import os
import signal
import sys
import threading

from flows.history import save_results
from flows.pipeline import Run, run_flow
from flows.server import temporary_server
from nfe.errors import NFEError

__all__ = ["end_process", "supervise"]

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
    try:
        save_results(run.root, run.results)
    except NFEError as error:
        errors.append(error)
    if caught:
        return 128 + caught[0], "stopped; the same command goes on from here"
    return (1, str(errors[0])) if errors else (0, "")


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
