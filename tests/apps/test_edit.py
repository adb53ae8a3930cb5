import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from apps.cli import app as nfe
from apps.edit import LOCK, edit
from nfe.files import sha256_file, write_manifest
from nfe.provenance import command_of, read_provenance

from ..tasks.editing_project import make_bundle, write_detector

SCENE = np.random.default_rng(0).integers(150, 256, (40, 50, 3), dtype=np.uint8)
DARK = np.zeros((40, 50, 3), dtype=np.uint8)
FACE = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
SQUARE = (slice(6, 26), slice(8, 28))  # where the detector of the project sees a face

app = typer.Typer()
app.command()(edit)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    return make_bundle(root, root / "model")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(SCENE).save(folder / "scene.png")
    Image.fromarray(FACE).save(folder / "sub/face.png")
    Image.fromarray(DARK).save(folder / "dark.png")
    return folder


def run(model, *arguments):
    values = ["--model", model, "--set", "hair=blue", "--json", *arguments]
    return CliRunner().invoke(app, [str(value) for value in values])


def rows(out):
    lines = (out / "edit.jsonl").read_text().splitlines()
    return {row["input"].rpartition("in/")[2]: row for row in map(json.loads, lines)}


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def contents(out):
    files = [f for f in out.rglob("*") if f.is_file() and f.suffix != ".jsonl"]
    return {f.relative_to(out).as_posix(): f.read_bytes() for f in files}


def test_folder_is_edited_with_names_kept(model, pictures, tmp_path):
    out = tmp_path / "out"
    result = run(model, pictures, "--out", out, "--keep", "smile")
    assert result.exit_code == 0, result.output
    table = rows(out)
    assert {name: row["status"] for name, row in table.items()} == {
        "scene.png": "edited",
        "sub/face.png": "edited",
        "dark.png": "no_face",
    }
    assert contents(out).keys() == {"scene.png", "sub/face.png", "dark.png"}
    for row in table.values():
        assert row["output_sha256"] == sha256_file(out / row["output"])
    assert {(row["version"] != "", row["num_frames"]) for row in table.values()} == {(True, 1)}
    face = table["scene.png"]["faces"][0]
    assert face["judged"].keys() == face["shown"].keys() == {"hair", "smile"}
    assert face["distance_after"]["hair=blue"] >= face["distance_before"]["hair=blue"]
    assert json.loads(result.stdout)["counts"] == {"edited": 2, "no_face": 1}


def test_outside_the_face_not_one_value_changes(model, pictures, tmp_path):
    run(model, pictures / "scene.png", "--out", tmp_path / "out")
    edited = pixels(tmp_path / "out/scene.png").copy()
    assert (edited[SQUARE] != SCENE[SQUARE]).any()
    edited[SQUARE] = SCENE[SQUARE]
    assert (edited == SCENE).all()


def test_picture_that_is_a_face_is_replaced_whole(model, pictures, tmp_path):
    run(model, pictures / "sub", "--out", tmp_path / "out")
    edited = pixels(tmp_path / "out/face.png")
    assert edited.shape == (16, 16, 3)
    assert (edited != FACE).mean() > 0.5


def test_alpha_is_put_back_and_hidden_colours_stay(model, tmp_path):
    alpha = np.full((40, 50, 1), 255, dtype=np.uint8)
    alpha[30:] = 0
    Image.fromarray(np.dstack([SCENE, alpha])).save(tmp_path / "a.png")
    run(model, tmp_path / "a.png", "--out", tmp_path / "out")
    edited = np.asarray(Image.open(tmp_path / "out/a.png"))
    assert (edited[..., 3:] == alpha).all()
    assert (edited[30:, :, :3] == SCENE[30:]).all()


def test_picture_without_a_face_is_copied_or_skipped(model, pictures, tmp_path):
    run(model, pictures / "dark.png", "--out", tmp_path / "copy")
    assert (tmp_path / "copy/dark.png").read_bytes() == (pictures / "dark.png").read_bytes()
    result = run(model, pictures, "--out", tmp_path / "skip", "--no-face", "skip")
    assert result.exit_code == 0
    assert not (tmp_path / "skip/dark.png").exists()


def test_bad_files_are_recorded_and_the_good_ones_come_out_the_same(model, pictures, tmp_path):
    run(model, pictures, "--out", tmp_path / "good")
    (pictures / "a_broken.png").write_bytes((pictures / "scene.png").read_bytes()[:60])
    (pictures / "empty.jpg").write_bytes(b"")
    (pictures / "notes.md").write_text("no picture")
    (pictures / "huge.png").write_bytes((pictures / "scene.png").read_bytes())
    Image.new("1", (3000, 3000)).save(pictures / "huge.png")
    result = run(model, pictures, "--out", tmp_path / "all", "--max-pixels", "10000")
    assert result.exit_code == 3
    table = rows(tmp_path / "all")
    assert len(table) == 7
    assert [table[name]["status"] for name in ("a_broken.png", "empty.jpg", "huge.png")] == [
        "failed",
        "failed",
        "failed",
    ]
    assert "at most 10000 pixels" in table["huge.png"]["reason"]
    assert table["notes.md"]["status"] == "skipped"
    before, after = contents(tmp_path / "good"), contents(tmp_path / "all")
    assert before.keys() == after.keys()
    for name in before:
        one, other = (pixels(tmp_path / where / name).astype(int) for where in ("good", "all"))
        assert np.abs(one - other).max() <= 1


def test_strict_stops_at_the_first_bad_file(model, pictures, tmp_path):
    (pictures / "a_broken.png").write_bytes(b"")
    result = run(model, pictures, "--out", tmp_path / "out", "--strict")
    assert result.exit_code == 1
    assert rows(tmp_path / "out").keys() == {"a_broken.png"}


def test_again_does_only_what_is_missing_or_changed(model, pictures, tmp_path):
    out = tmp_path / "out"
    run(model, pictures, "--out", out)
    again = run(model, pictures, "--out", out)
    assert json.loads(again.stdout)["counts"] == {"unchanged": 3}
    (out / "scene.png").write_bytes(b"damaged")
    Image.fromarray(FACE[::-1]).save(pictures / "sub/face.png")
    third = run(model, pictures, "--out", out)
    assert json.loads(third.stdout)["counts"] == {"unchanged": 1, "edited": 2}
    other = run(model, pictures, "--out", out, "--set", "smile=yes")
    assert json.loads(other.stdout)["counts"]["edited"] == 2
    forced = run(model, pictures, "--out", out, "--set", "smile=yes", "--overwrite")
    assert json.loads(forced.stdout)["counts"]["edited"] == 2


def test_a_file_of_somebody_else_is_not_overwritten(model, pictures, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "scene.png").write_bytes(b"mine")
    result = run(model, pictures / "scene.png", "--out", out)
    assert result.exit_code == 1
    assert (out / "scene.png").read_bytes() == b"mine"
    assert "--overwrite" in rows(out)["scene.png"]["reason"]
    assert run(model, pictures / "scene.png", "--out", out, "--overwrite").exit_code == 0


def test_inputs_of_one_name_in_two_runs_do_not_overwrite_each_other(model, pictures, tmp_path):
    out = tmp_path / "out"
    run(model, pictures / "scene.png", "--out", out)
    (tmp_path / "other/in").mkdir(parents=True)
    shutil.copy(pictures / "scene.png", tmp_path / "other/in/scene.png")
    run(model, tmp_path / "other/in", "--out", out)
    assert contents(out).keys() == {"scene.png", "scene.png.png"}


def test_formats_strip_and_limit(model, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = ("--format", "webp", "--strip", "--limit", "2")
    assert run(model, pictures, "--out", out, *arguments).exit_code == 0
    assert contents(out).keys() == {"dark.webp", "scene.webp", "scene.webp.strip.png"}
    height, width, _ = pixels(out / "scene.webp.strip.png").shape
    assert (height > 96, width > 7 * 96) == (True, True)


def test_metadata_is_that_of_an_imagefolder(model, pictures, tmp_path):
    run(model, pictures, "--out", tmp_path / "out")
    lines = (tmp_path / "out/metadata.jsonl").read_text().splitlines()
    table = {row["file_name"]: row for row in map(json.loads, lines)}
    assert table["scene.png"]["hair"] == "blue"
    assert "hair" not in table["dark.png"]


def test_dry_run_writes_nothing(model, pictures, tmp_path):
    result = run(model, pictures, "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0
    files = {Path(row["input"]).name: row["output"] for row in json.loads(result.stdout)["files"]}
    assert files == {"scene.png": "scene.png", "face.png": "sub/face.png", "dark.png": "dark.png"}
    assert not (tmp_path / "out").exists()
    unknown = run(model, pictures, "--out", tmp_path / "out", "--dry-run", "--set", "hat=red")
    assert unknown.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "hat=red"], "attribute must be one of hair, smile, got hat"),
        (["--set", "hair=plaid"], "got two values"),
        (["--set", "smile"], "must be ATTRIBUTE=VALUE"),
        (["--keep", "hair"], "either changed or kept"),
        (["--strength", "strong"], "--strength must be auto or a number"),
        (["--model", "nowhere"], "--model must be a model folder, got nowhere"),
        (["missing.png"], "input must be a file"),
        (["--strength", "nan"], "--strength must be auto or a number"),
        (["--frames", "all", "--format", "jpg"], "--frames all must not go with --format jpg"),
        (["--device", "abacus"], "--device must be one of this machine"),
        (["--sheet", "a.jpg"], "must end in .png"),
    ],
)
def test_wrong_usage_says_what_to_do(model, pictures, tmp_path, arguments, message):
    result = run(model, pictures, "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_damaged_model_is_named(model, pictures, tmp_path):
    damaged = tmp_path / "model"
    shutil.copytree(model, damaged)
    (damaged / "encoder/encoder.safetensors").write_bytes(b"x")
    result = run(damaged, pictures, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "encoder.safetensors must have the sha256" in result.stderr


def test_two_runs_at_once_into_one_folder(model, pictures, tmp_path):
    import fcntl

    out = tmp_path / "out"
    out.mkdir()
    with (out / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("4711")
        file.flush()
        result = run(model, pictures, "--out", out)
    assert result.exit_code == 4
    assert "run 4711 writes into it" in result.stderr
    assert run(model, pictures, "--out", out).exit_code == 0


def test_a_killed_run_continues_to_the_same_result(model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(24):
        Image.fromarray(np.roll(FACE, number, axis=1)).save(folder / f"{number:02d}.png")
    arguments = ["--model", str(model), "--set", "hair=blue", "--batch-size", "2", str(folder)]
    run(model, folder, "--out", tmp_path / "whole", "--batch-size", "2")
    command = "import typer; from apps.edit import edit; typer.run(edit)"
    out = tmp_path / "out"
    child = subprocess.Popen([sys.executable, "-c", command, *arguments, "--out", str(out)])
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.png"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    (out / "edit.jsonl").open("a").write('{"input": "cut of')
    assert run(model, folder, "--out", out, "--batch-size", "2").exit_code == 0
    assert contents(out) == contents(tmp_path / "whole")
    assert len(rows(out)) == 24


def test_a_picture_tells_the_command_that_makes_it_again(model, pictures, tmp_path, monkeypatch):
    out, name = tmp_path / "out", "-it's.png"
    (pictures / "scene.png").rename(pictures / name)
    options = ("--keep", "smile", "--strength", "1.25", "--steps", "3")
    run(model, pictures / name, "--out", out, *options)
    provenance = read_provenance(out / name)
    assert provenance.input_sha256 == sha256_file(pictures / name)
    assert provenance.changes == {"hair": "blue"}
    told = CliRunner().invoke(nfe, ["info", str(out / name)])
    assert told.exit_code == 0
    command = told.stdout.splitlines()[-1]
    assert command == command_of(provenance)
    monkeypatch.chdir(pictures)
    assert CliRunner().invoke(nfe, shlex.split(command)[1:]).exit_code == 0
    assert (pictures / "edited" / name).read_bytes() == (out / name).read_bytes()
    assert "hair=blue from" in told.stdout


def test_provenance_can_be_left_out_and_copies_have_none(model, pictures, tmp_path):
    run(model, pictures, "--out", tmp_path / "out", "--no-provenance")
    run(model, pictures, "--out", tmp_path / "with")
    assert read_provenance(tmp_path / "out/scene.png") is None
    assert read_provenance(tmp_path / "with/dark.png") is None
    assert (pixels(tmp_path / "out/scene.png") == pixels(tmp_path / "with/scene.png")).all()
    told = CliRunner().invoke(nfe, ["info", str(tmp_path / "out/scene.png")])
    assert told.exit_code == 1
    assert "it does not say it is" in told.stderr


@pytest.mark.parametrize("mode", ["L", "I;16", "P", "RGBA"])
def test_outside_the_face_every_value_is_that_of_the_picture_in_eight_bits(model, tmp_path, mode):
    grey = SCENE[..., 0]
    alpha = np.arange(2000, dtype=np.uint32).reshape(40, 50).astype(np.uint8)
    given, expected = {
        "L": (Image.fromarray(grey), np.dstack([grey] * 3)),
        "I;16": (Image.fromarray(grey.astype(np.uint16) * 257), np.dstack([grey] * 3)),
        "P": (Image.fromarray(SCENE).quantize(64), None),
        "RGBA": (Image.fromarray(np.dstack([SCENE, alpha])), SCENE),
    }[mode]
    expected = np.asarray(given.convert("RGB")) if expected is None else expected
    given.save(tmp_path / "a.png")
    run(model, tmp_path / "a.png", "--out", tmp_path / "out", "--faces", "detect")
    result = np.asarray(Image.open(tmp_path / "out/a.png"))
    edited = result[..., :3].copy()
    assert (edited[SQUARE] != expected[SQUARE]).any() or mode == "RGBA"
    edited[SQUARE] = expected[SQUARE]
    assert (edited == expected).all()
    if mode == "RGBA":
        assert (result[..., 3] == alpha).all()


def test_all_frames_of_an_animation(model, tmp_path):
    frames = [Image.fromarray(np.roll(FACE, i, axis=1)) for i in range(3)]
    options = {"save_all": True, "append_images": frames[1:], "duration": [30, 50, 70]}
    frames[0].save(tmp_path / "a.webp", lossless=True, **options)
    run(model, tmp_path / "a.webp", "--out", tmp_path / "one")
    run(model, tmp_path / "a.webp", "--out", tmp_path / "out", "--frames", "all", "--format", "png")
    edited = Image.open(tmp_path / "out/a.png")
    assert (edited.n_frames, Image.open(tmp_path / "one/a.webp").n_frames) == (3, 1)
    (row,) = map(json.loads, (tmp_path / "out/edit.jsonl").read_text().splitlines())
    assert [face["frame"] for face in row["faces"]] == [0, 1, 2]
    seen = []
    for index in range(3):
        edited.seek(index)
        seen.append(np.asarray(edited.convert("RGB")))
        assert edited.info["duration"] == [30, 50, 70][index]
    assert (seen[0] != seen[1]).any() and (seen[1] != seen[2]).any()
    assert read_provenance(tmp_path / "out/a.png").parameters["frames"] == "all"


def test_of_several_faces_all_or_the_largest_or_it_alone(model, pictures, tmp_path):
    two = tmp_path / "model"
    shutil.copytree(model, two)
    write_detector(two / "detector/detector.onnx", [(32, 20, 44, 32), (8, 6, 28, 26)])
    write_manifest(two)
    small = (slice(20, 32), slice(32, 44))
    for name, options in (("all", []), ("one", ["--largest"]), ("alone", ["--no-paste-back"])):
        run(two, pictures / "scene.png", "--out", tmp_path / name, *options)
    both, one = pixels(tmp_path / "all/scene.png"), pixels(tmp_path / "one/scene.png")
    assert (both[SQUARE] != SCENE[SQUARE]).any() and (both[small] != SCENE[small]).any()
    assert (one[SQUARE] != SCENE[SQUARE]).any() and (one[small] == SCENE[small]).all()
    assert pixels(tmp_path / "alone/scene.png").shape == (16, 16, 3)


def test_a_file_may_take_only_so_much(model, pictures, tmp_path):
    Image.new("RGB", (2000, 2000)).save(pictures / "slow.png")
    size = run(model, pictures, "--out", tmp_path / "size", "--max-megabytes", "0.007")
    assert size.exit_code == 3
    assert "must have at most 0.007 MB" in rows(tmp_path / "size")["slow.png"]["reason"]
    slow = run(model, pictures / "slow.png", "--out", tmp_path / "slow", "--timeout", "0.01")
    assert slow.exit_code == 1
    (line,) = (tmp_path / "slow/edit.jsonl").read_text().splitlines()
    assert "must be opened within 0.01 s" in json.loads(line)["reason"]


def test_sheet_and_animation(model, pictures, tmp_path):
    sheet, loop = tmp_path / "sheet.png", tmp_path / "loop.webp"
    arguments = (pictures, "--out", tmp_path / "out", "--sheet", sheet, "--animate", loop)
    assert run(model, *arguments).exit_code == 0
    assert pixels(sheet).shape[1] > 4 * 96  # two faces, before and after
    with Image.open(loop) as animation:
        assert animation.n_frames == 48
        first = np.asarray(animation.convert("RGB"))
        animation.seek(24)
        assert (np.asarray(animation.convert("RGB")) != first).any()
    refused = run(model, *arguments)
    assert refused.exit_code == 1
    assert "must not exist yet" in refused.stderr


def test_an_input_is_never_its_own_result(model, pictures, tmp_path):
    before = (pictures / "scene.png").read_bytes()
    result = run(model, pictures / "scene.png", "--out", pictures, "--overwrite")
    assert result.exit_code == 1
    assert "must not be its own result" in result.stderr
    assert (pictures / "scene.png").read_bytes() == before


def test_a_relative_path_from_another_folder_is_the_same_file(
    model, pictures, tmp_path, monkeypatch
):
    run(model, pictures, "--out", tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    again = run(model, "in", "--out", "out")
    assert json.loads(again.stdout)["counts"] == {"unchanged": 3}


def test_a_list_on_standard_input_may_hold_any_name(model, pictures, tmp_path):
    name = b"sub/\xff.png"
    shutil.copy(pictures / "scene.png", pictures / os.fsdecode(name))
    arguments = ["-", "--out", str(tmp_path / "out"), "--model", str(model), "--set", "hair=blue"]
    lines = os.fsencode(pictures) + b"/" + name + b"\n"
    result = CliRunner().invoke(app, arguments, input=lines)
    assert result.exit_code == 0, result.output
    assert [os.fsencode(p.name) for p in (tmp_path / "out").glob("*.png")] == [b"\xff.png"]
    (line,) = (tmp_path / "out/edit.jsonl").read_text().splitlines()
    assert os.fsencode(json.loads(line)["input"]).endswith(name)
