import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apps.cli import app

REPO = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the real graph and parameters, as the current one."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(REPO / name, tmp_path / name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "draw.num_picures=3"], "did you mean draw.num_pictures?"),
        (["--set", "train_gan.batch_size=many"], "train_gan.batch_size must be a valid integer"),
        (["--set", "train_gan.adam_betas=[0.9]"], "adam_betas must be at least 2 long, got [0.9]"),
        (
            ["--set", "train_gan.adam_betas=[0.0, 0.5, 1]"],
            "adam_betas must be at most 2 long, got [0.0, ",
        ),
        (["--profile", "smok"], "profile must be one of default, got smok"),
        (["--force", "train_gn"], "got train_gn; did you mean train_gan?"),
        (["--until", "zzz"], "stage must be one of dvc.yaml, got zzz; stages are"),
    ],
)
def test_what_cannot_be_meant_is_refused(project: Path, arguments: list[str], message: str) -> None:
    before = sorted(project.rglob("*")), (project / "params.yaml").read_bytes()
    result = CliRunner().invoke(app, ["run", *arguments])
    assert result.exit_code == 2
    assert message in result.output
    assert all(line.startswith("error: ") for line in result.output.splitlines())
    assert (sorted(project.rglob("*")), (project / "params.yaml").read_bytes()) == before


def test_the_project_is_found_from_a_folder_inside(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "inner").mkdir()
    monkeypatch.chdir(project / "inner")
    assert CliRunner().invoke(app, ["run", "--until", "x"]).exit_code == 2
    assert Path.cwd() == project


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 2
    assert "folder must be in a project" in result.output


def test_help_and_checks_import_nothing_heavy() -> None:
    script = (
        "import sys, apps.cli, flows.params, flows.lock\n"
        "from pathlib import Path\n"
        "flows.params.prepare_params(Path(), None, [])\n"
        "print([m for m in ('torch', 'prefect', 'dvc', 'pandas', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "command", [c.callback.__name__.replace("_", "-") for c in app.registered_commands]
)
def test_every_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f": nfe {command} " in " ".join(result.output.split())


def test_help_names_the_extra_that_is_needed() -> None:
    assert "Needs the extra [ui]." in CliRunner().invoke(app, ["ui", "--help"]).output
