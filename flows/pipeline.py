"""The Prefect flow over DVC's graph: one task run per stage, a child process for each that runs."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.dvc_graph import GraphError, StageStatus, needed_stages, read_graph, read_status
from flows.history import StageResult
from flows.processes import Processes
from nfe.errors import NFEError

__all__ = [
    "Relay",
    "Run",
    "StageError",
    "child_environment",
    "count_cores",
    "default_jobs",
    "plan_stages",
    "run_flow",
    "run_stages",
]

# What DVC says about itself: the flow says it shorter. Its errors are kept for the last line.
NOISE = re.compile(
    rb"Running stage '|> |Updating lock file|Generating lock file|Use `dvc push`|"
    rb"To track the changes|To enable auto staging|\tgit add|\tdvc config|"
    rb"Stage '.*' (is cached|didn't change)|\s*$"
)
RESTORED = re.compile(rb"Stage '.*' is cached")
ERROR = re.compile(r"error: (?P<ours>.+)|ERROR: (?P<dvcs>.+)", re.MULTILINE)


class StageError(NFEError):
    """A stage ended with an error; the message is the stage's own line."""


@dataclass
class Run:
    """One run of the pipeline: what to run, and what has come of it."""

    root: Path
    until: str | None = None
    force: frozenset[str] = frozenset()
    num_jobs: int = 1
    write: Callable[[bytes], object] = field(default=lambda piece: None)
    watch: Callable[[str, str], object] = field(default=lambda stage, line: None)
    processes: Processes = field(default_factory=Processes)
    results: list[StageResult] = field(default_factory=list)
    error: StageError | None = None
    known: dict[str, StageStatus] = field(default_factory=dict)  # while nothing has run

    def run_stage(self, stage: str) -> StageResult:
        """Bring one stage up to date, unless it is.

        Raises:
            StageError: If the stage failed, or the run was stopped before it.
        """
        if self.processes.stopped:
            raise StageError(f"{stage}: the run was stopped before this stage")
        status = self.known.get(stage) or read_status(self.root, [stage])[stage]
        if status.state == "unchanged" and stage not in self.force:
            result = StageResult(stage, "Cached", "unchanged")
            self._say(result)
        else:
            result = self._reproduce(stage, status)
        self.results.append(result)
        if result.state in ("Failed", "Interrupted"):
            error = StageError(f"{stage}: {result.why}")
            self.error = self.error or error  # the first; what it stops comes after
            self.processes.stop_all()
            raise error
        return result

    def _reproduce(self, stage: str, status: StageStatus) -> StageResult:
        self.known.clear()  # what follows this stage may change with it
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
        why = status.why
        if stage in self.force:
            shutil.rmtree(self.root / "data" / stage / "checkpoints", ignore_errors=True)
            command.append("--force")
            why = "forced"
        self.write(f"{stage}: {why}\n".encode())
        relay = Relay(self.write, self._log_path(stage), lambda line: self.watch(stage, line))
        env = child_environment(self.num_jobs)
        with relay:
            ended = self.processes.run(command, self.root, env, relay)
        if ended.code == 0:
            state = "Restored" if relay.restored else "Completed"
        else:
            state, why = ("Interrupted", "stopped") if self.processes.stopped else ("Failed", "")
            why = why or relay.error(ended.code).removeprefix(f"{stage}: ")
        result = StageResult(stage, state, why, ended.seconds, ended.peak_mib)
        if ended.code == 0:
            self._say(result)
        return result

    def _say(self, result: StageResult) -> None:
        seconds = f" in {result.seconds:.1f} s" if result.seconds else ""
        self.write(f"{result.stage}: {result.state}{seconds}\n".encode())

    def _log_path(self, stage: str) -> Path:
        path = self.root / ".nfe" / "logs" / f"{stage}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class Relay:
    """Passes a child's output on as it comes, keeps it in a log, drops what DVC says of itself.

    `watch` is given the child's own lines as text.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        log_path: Path,
        watch: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.write = write
        self.log_path = log_path
        self.watch = watch
        self.restored = False
        self._rest = b""

    def __enter__(self) -> "Relay":
        self._log = self.log_path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._pass(self._rest)
        self._log.close()

    def __call__(self, piece: bytes) -> None:
        """Take the next piece of output."""
        self._log.write(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._pass(line + b"\n")
        if self._rest.startswith(b"\r"):  # a bar: shown at once, it ends without a newline
            self._show(self._rest)
            self._rest = b""

    def error(self, code: int) -> str:
        """Return the child's own last line of error, else DVC's, else the exit code."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        found = list(ERROR.finditer(text))
        ours = [match["ours"] for match in found if match["ours"]]
        dvcs = [match["dvcs"] for match in found if match["dvcs"]]
        for lines in (ours, dvcs):
            if lines:
                return lines[-1].strip()
        return f"the stage ended with code {code}; see {self.log_path}"

    def _pass(self, line: bytes) -> None:
        self.restored |= bool(RESTORED.match(line))
        if line and not NOISE.match(line) and not ERROR.match(line.decode(errors="replace")):
            self._show(line)

    def _show(self, line: bytes) -> None:
        self.write(line)
        self.watch(line.decode(errors="replace"))


def child_environment(num_jobs: int) -> dict[str, str]:
    """Return the environment of a stage: this Python first in PATH, threads shared fairly."""
    env = dict(os.environ)
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    env["PYTHONUNBUFFERED"] = "1"
    env["NFE_TERMINAL"] = "1" if sys.stderr.isatty() and num_jobs == 1 else "0"
    if num_jobs > 1:
        env.setdefault("OMP_NUM_THREADS", str(max(1, count_cores() // num_jobs)))
    return env


def count_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_jobs() -> int:
    """Return how many stages go side by side when nobody says: one on two cores, else two."""
    return 1 if count_cores() <= 2 else 2


def run_flow(run: Run) -> None:
    """Run the flow to its end. Prefect must be importable and have a server to talk to.

    Raises:
        StageError: If a stage failed.
        GraphError: If the graph cannot be read.
    """
    from prefect import flow
    from prefect.task_runners import ThreadPoolTaskRunner

    runner: Any = ThreadPoolTaskRunner(max_workers=run.num_jobs)
    graph = plan_stages(run)

    @flow(name="pipeline", task_runner=runner, persist_result=False)
    def pipeline() -> Any:
        return run_stages(run, graph)

    pipeline(return_state=True)
    if run.error:
        raise run.error


def plan_stages(run: Run) -> dict[str, list[str]]:
    """Return the stages of a run in order, each with those it waits for; ask for their status."""
    graph = read_graph(run.root)
    unknown = {*run.force, *([run.until] if run.until else [])} - graph.keys()
    if unknown:
        raise GraphError(f"stage must be one of {', '.join(graph)}, got {', '.join(unknown)}")
    order = needed_stages(graph, [run.until] if run.until else None)
    order += [s for s in graph if s in run.force and s not in order]
    run.known.update(read_status(run.root, order))
    return {s: [p for p in graph[s] if p in order] for s in order}


def run_stages(run: Run, graph: Mapping[str, Sequence[str]]) -> Any:
    """Run stages as tasks of the flow around, and return the state it is to end in."""
    from prefect import task
    from prefect.cache_policies import NO_CACHE
    from prefect.client.schemas.objects import State
    from prefect.states import Completed, Failed

    from flows.artifacts import ProgressBoard, publish_run, publish_stage

    run.watch = ProgressBoard()

    @task(cache_policy=NO_CACHE, persist_result=False)
    def stage_task(stage: str) -> State[Any]:
        try:
            result = run.run_stage(stage)
        except StageError as error:
            return Failed(message=str(error))
        if result.state != "Cached":
            publish_stage(run.root, result)
        return Completed(name=result.state, message=result.why)

    futures: dict[str, Any] = {}
    for stage, before in graph.items():
        named: Any = stage_task.with_options(name=stage, task_run_name=stage)
        futures[stage] = named.submit(stage, wait_for=[futures[name] for name in before])
    for future in futures.values():
        future.wait()
    publish_run(run.root, run.results)
    return Failed(message=str(run.error)) if run.error else Completed()
