"""A temporary Prefect server that ends with the run, even with a run that was killed.

`python -m flows.server DESCRIPTOR` serves on an open socket; `temporary_server` starts it so.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["quiet_environment", "temporary_server"]

QUIET = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
PLEASANT = {"PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_API_REQUEST_TIMEOUT": "120"}
SERVED = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


def quiet_environment(root: Path) -> None:
    """Turn off analytics, quiet Prefect's own logging, give it a home in the project."""
    os.environ.update(QUIET)
    for name, value in {**PLEASANT, "PREFECT_HOME": str(root / ".nfe" / "prefect")}.items():
        os.environ.setdefault(name, value)
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


@contextmanager
def temporary_server() -> Iterator[None]:
    """Serve Prefect's API while the block runs, unless PREFECT_API_URL names a server.

    The socket is opened here and handed on, so the first requests wait in its queue while the
    server starts. The server ends when the pipe to this process closes. It writes server.log in
    PREFECT_HOME, which must be set: see `quiet_environment`.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    log_path = Path(os.environ["PREFECT_HOME"]) / "server.log"
    with (
        socket.create_server(("127.0.0.1", 0), backlog=128) as listener,
        log_path.open("wb") as log,
    ):
        port = listener.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-m", "flows.server", str(listener.fileno())],
            env={**os.environ, **SERVED, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    try:
        yield
    finally:
        del os.environ["PREFECT_API_URL"]
        assert server.stdin is not None
        server.stdin.close()
        server.wait()


def _serve(descriptor: int) -> None:
    import uvicorn

    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.run(
        "prefect.server.api.server:create_app", factory=True, fd=descriptor, log_level="error"
    )


def _end_with_parent() -> None:
    os.read(0, 1)  # returns when the other end of the pipe is closed
    os._exit(0)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
