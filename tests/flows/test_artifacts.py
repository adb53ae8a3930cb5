"""What Prefect's page is given, read back from a real server."""

from pathlib import Path
from typing import Any

import pytest

from flows.artifacts import ProgressBoard, parse_progress, publish_run, publish_stage
from flows.history import StageResult, format_results, load_results, save_results
from nfe.files import write_bytes, write_json, write_text
from tests.tasks.report_project import picture

RESULT = StageResult("train_gan", "Completed", "train_gan.seed 1 -> 2", 3.0, 100.0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "train_gan: 29,000/58,000  300 s left  64 px\n",
            (50.0, "29,000 of 58,000, 300 s left  64 px"),
        ),
        ("\r\033[K████░░░░ edit: 3/3  in 4 s  x\n", (100.0, "3 of 3, in 4 s  x")),
        ("crop: 1/4", (25.0, "1 of 4")),
        ("train_gan: seconds = 3/4", None),
        ("started\n", None),
    ],
)
def test_progress_is_read_from_a_stages_lines(
    line: str, expected: tuple[float, str] | None
) -> None:
    assert parse_progress(line) == expected


def published() -> list[Any]:
    """Return all artifacts of the server, the oldest first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        return client.read_artifacts(sort=ArtifactSort.ID_DESC)


def test_a_run_shows_progress_figures_and_pictures(server: None, tmp_path: Path) -> None:
    from prefect import flow

    folder = tmp_path / "data/train_gan"
    write_json(folder / "metrics.json", {"num_faces": 12345, "by": {"hair": 0.5}})
    write_bytes(folder / "some_samples.png", picture(20, 1800))
    curate = {"num_faces": 1100, "num_train": 900, "num_holdout": 100}
    write_json(tmp_path / "data/curate/metrics.json", curate)

    @flow
    def shown() -> None:
        board = ProgressBoard()
        for line in ("train_gan: 1/4", "train_gan: 2/4", "nothing", "train_gan: 4/4  in 9 s"):
            board("train_gan", line)
        publish_stage(tmp_path, RESULT)
        publish_run(tmp_path, [RESULT])

    shown()
    found = {artifact.key: artifact for artifact in published()}
    progress = found["train-gan-progress"]
    assert (progress.type, progress.data, progress.description) == (
        "progress",
        100.0,
        "4 of 4, in 9 s",
    )
    figures = found["train-gan-figures"]
    assert '{"figure": "num faces", "value": "12,345"}' in figures.data
    assert '{"figure": "by: hair", "value": "0.5"}' in figures.data
    assert figures.description == "Why it ran: train_gan.seed 1 -> 2"
    image = found["train-gan-some-samples"]
    assert image.type == "image"
    assert image.data.startswith("data:image/webp;base64,")
    assert len(image.data) < 20_000
    assert format_results([RESULT]) in found["pipeline-stages"].data
    assert "Faces to learn from" in found["pipeline-summary"].data
    assert all(artifact.flow_run_id for artifact in found.values())


def test_what_cannot_be_shown_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(tmp_path / "data/train_gan/metrics.json", "{")
    publish_stage(tmp_path, RESULT)
    assert "publish_stage: not shown by Prefect: Expecting" in capsys.readouterr().out


def test_results_are_kept_until_the_next_run(tmp_path: Path) -> None:
    assert load_results(tmp_path) == []
    save_results(tmp_path, [RESULT])
    assert load_results(tmp_path) == [RESULT]
    save_results(tmp_path, [])
    assert load_results(tmp_path) == []
