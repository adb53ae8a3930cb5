import shutil
from pathlib import Path

import pytest

from flows.params import prepare_params, suggest, write_params
from nfe.errors import ParamsError
from tests.flows.toy import REPO


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The real parameters, profiles and graph, without code or data."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(REPO / name, tmp_path / name)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "small.yaml").write_text(
        "draw: {num_pictures: 300}\ncurate:\n  want: [solo]\ntrain_gan: {seed: 7}\n"
    )
    (tmp_path / "profiles" / "large.yaml").write_text("draw:\n  num_pictures: 999\n")
    (tmp_path / ".nfe").mkdir()
    return tmp_path


def apply(root: Path, profile: str | None, *assignments: str) -> str:
    write_params(root, *prepare_params(root, profile, assignments))
    return (root / "params.yaml").read_text()


def errors_of(root: Path, profile: str | None, *assignments: str) -> list[str]:
    before = (root / "params.yaml").read_bytes()
    with pytest.raises(ParamsError) as caught:
        prepare_params(root, profile, assignments)
    assert (root / "params.yaml").read_bytes() == before
    return str(caught.value).splitlines()


def test_a_profile_is_written_and_taken_back_to_the_byte(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    small = apply(project, "small")
    assert small != before
    assert "num_pictures: 300" in small
    assert small.count("#") >= before.count("#") - 1  # the comments stay
    large = apply(project, "large")
    assert "num_pictures: 999" in large
    assert "want: []" in large
    assert apply(project, "default") == before


def test_a_value_changed_under_a_profile_is_kept(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    apply(project, "small", "draw.num_pictures=51")
    after = apply(project, "default")
    assert "num_pictures: 51" in after
    assert len(after.splitlines()) == len(before.splitlines())
    different = [b for b, a in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert len([line for line in different if "num_pictures" in line]) == 1
    assert "want: []" in after


def test_applying_a_profile_twice_changes_nothing(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    once = apply(project, "small")
    assert apply(project, "small") == once
    assert apply(project, "default") == before


@pytest.mark.parametrize("name", sorted(path.stem for path in (REPO / "profiles").glob("*.yaml")))
def test_every_real_profile_is_taken_back_to_the_byte(project: Path, name: str) -> None:
    """One of them puts a mapping in place of a null."""
    shutil.copy(REPO / "profiles" / f"{name}.yaml", project / "profiles")
    before = (project / "params.yaml").read_text()
    once = apply(project, name)
    assert once != before
    for _ in range(2):
        assert apply(project, name) == once
    assert apply(project, "default") == before


def test_assignments_take_yaml(project: Path) -> None:
    text = apply(project, None, "curate.want=[solo, 1girl]", "crop.source=some folder/x.zip")
    assert "want: [solo, 1girl]" in text
    assert "source: some folder/x.zip" in text


def test_all_errors_at_once_with_suggestions(project: Path) -> None:
    lines = errors_of(
        project,
        None,
        "draw.num_picures=3",
        "trian_gan.seed=1",
        "crop.resolution=-1",
        "train_gan.seed=hello",
        "train_gan.learning_rate=.nan",
        "sample.num_mapping_layers=2",
        "attributes.smile=3",
    )
    text = "\n".join(lines)
    assert (
        "draw.num_picures must be a known key, it is not; did you mean draw.num_pictures?" in text
    )
    assert "trian_gan must be a section of a stage, it is not; did you mean train_gan?" in text
    assert "did you mean train_gan.num_mapping_layers?" in text
    for key in ("crop.resolution", "train_gan.seed", "train_gan.learning_rate", "attributes.smile"):
        assert any(line.startswith(f"{key} must be ") for line in lines), key
    assert len(lines) == len(set(lines))


def test_nested_keys_are_suggested(project: Path) -> None:
    path = project / "params.yaml"
    text = path.read_text()
    assert "- set: {hair_color: blue}" in text
    path.write_text(text.replace("- set: {hair_color: blue}", "- sett: {hair_color: blue}"))
    lines = errors_of(project, None)
    assert (
        "edit.edits.0.sett must be a known key, it is not; did you mean edit.edits.0.set?" in lines
    )


@pytest.mark.parametrize(
    ("profile", "assignment", "message"),
    [
        (
            "smal",
            None,
            "profile must be one of default, large, small, got smal; did you mean small?",
        ),
        (None, "draw.seed", "--set must be section.key=value, got draw.seed"),
        (None, "=3", "--set must be section.key=value, got =3"),
        (None, "draw.seed=[1", "--set draw.seed must be a YAML value"),
    ],
)
def test_refused_options(
    project: Path, profile: str | None, assignment: str | None, message: str
) -> None:
    assert errors_of(project, profile, *([assignment] if assignment else []))[0].startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("draw: [1", "params.yaml must be YAML"),
        ("draw: {a: 1, a: 2}", "params.yaml must be YAML"),
        ("- 1", "params.yaml must map sections to keys"),
        ("draw: 3", "draw must be a mapping of keys to values, got 3"),
        ("crop: {}", "params.yaml must have a section draw"),
    ],
)
def test_refused_files(project: Path, text: str, message: str) -> None:
    (project / "params.yaml").write_text(text)
    assert any(message in line for line in errors_of(project, None))


def test_a_missing_file_and_a_broken_memory_are_named(project: Path) -> None:
    (project / ".nfe" / "profile.json").write_text("{")
    assert "profile.json must be what an earlier run wrote" in errors_of(project, "small")[0]
    (project / ".nfe" / "profile.json").write_text('{"replaced": {}, "before": "a: [1"}')
    assert "profile.json must be what an earlier run wrote" in errors_of(project, "small")[0]
    (project / "dvc.yaml").unlink()
    assert errors_of(project, None)[0].startswith("dvc.yaml must be readable")


def test_suggest() -> None:
    assert suggest("hair_colour", ["hair_color", "eye_color"]) == "hair_color"
    assert suggest("zzz", ["hair_color"]) is None
