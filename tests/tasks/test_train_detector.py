import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nfe.drawing.faces import draw_face, random_face_spec
from nfe.errors import SourceError
from nfe.faces.detection import Detector
from nfe.faces.detector_network import DetectorNetwork
from nfe.files import check_manifest, read_json, write_json, write_stored_zip
from nfe.images import decode_pixels, encode_png
from tasks import measure_detector, train_detector
from tasks.detector_material import draw_scenes

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models/detector"
ILLUSTRATIONS = ROOT.parent / "shared/data/illustrations"


def test_it_writes_a_detector_that_loads_and_says_how_it_was_made(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    faces = [draw_face(random_face_spec(rng), 48, 1) for _ in range(20)]
    photos = [rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in range(20)]
    for name, pictures in (("faces", faces), ("photos", photos)):
        members = [(f"{n:02d}.png", encode_png(pixels)) for n, pixels in enumerate(pictures)]
        write_stored_zip(tmp_path / f"{name}.zip", members)
    sources = f"--faces {tmp_path}/faces.zip --photos {tmp_path}/photos.zip"
    same = f"{sources} --num-scenes 20 --num-faces 20 --num-composites 20"
    small = "--num-rounds 2 --num-steps 2 --batch-size 1 --max-side 64"
    train_detector.main(f"{same} {small} --out {tmp_path}/out".split())
    check_manifest(tmp_path / "out")
    detector = Detector.load(tmp_path / "out/detector.onnx")
    description = json.loads((tmp_path / "out/model.json").read_text())
    assert detector.max_side == 64
    assert detector.min_score == description["held_out"]["min_score"]
    assert description["commands"][0].startswith("python -m tasks.train_detector ")
    assert 0 <= description["held_out"]["recall"] <= 1
    for name in ("recall", "false_per_composite", "false_per_photograph"):
        values = [point[name] for point in description["held_out"]["points"]]
        assert values == sorted(values)  # a lower score, more boxes
    trained = description["held_out"]
    path = tmp_path / "out/model.json"
    write_json(path, description | {"held_out": {}})
    measure_detector.main(f"{same} --detector {tmp_path}/out".split())
    check_manifest(tmp_path / "out")
    assert read_json(path)["held_out"] == trained


@pytest.mark.parametrize(
    ("num_allowed", "score"), [(0, 0.901), (1, 0.495), (2, 0.301), (3, 0.05), (9, 0.05)]
)
def test_the_score_of_a_face_leaves_no_more_false_boxes_than_allowed(
    num_allowed: int, score: float
) -> None:
    assert measure_detector.choose_score([0.9, 0.4943, 0.3], num_allowed) == score


def test_what_is_taken_for_a_face_is_cut_out_with_a_margin() -> None:
    network = DetectorNetwork().eval()
    last = network.head[-1]
    torch.nn.init.zeros_(last.weight)  # the same answer everywhere
    options = train_detector._parse(
        ["--faces", "a", "--photos", "b", "--out", "c", "--max-side", "128", "--num-mistakes", "3"]
    )
    picture = np.zeros((100, 90, 3), dtype=np.uint8)
    last.bias.data[0] = -9.0
    assert train_detector._mistakes(network, [picture], options) == []
    last.bias.data[0] = 0.0  # a face of 32 pixels in each cell
    pieces = train_detector._mistakes(network, [picture, picture], options)
    assert len(pieces) == 3
    assert all(24 <= side <= 50 for piece in pieces for side in piece.shape[:2])


def test_a_side_that_the_network_cannot_halve_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        train_detector.main(["--faces", "a", "--photos", "b", "--out", "c", "--max-side", "96"])
    assert "--max-side must be a multiple of 64, got 96" in capsys.readouterr().err


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it does not exist"):
        train_detector.main(["--faces", "none.zip", "--photos", "none.zip", "--out", "out"])


def test_the_bundled_detector_is_whole_and_small() -> None:
    check_manifest(MODEL)
    assert (MODEL / "detector.onnx").stat().st_size <= 2_000_000
    assert read_json(MODEL / "model.json")["commands"]


def test_the_bundled_detector_finds_drawn_faces_their_eyes_and_nothing_else() -> None:
    rng = np.random.default_rng(99)
    scenes, backgrounds = draw_scenes(60, rng)
    detector = Detector.load(MODEL / "detector.onnx")
    found = [detector.detect(scene.pixels) for scene in scenes]
    centers = [
        np.abs(np.array(faces[0].box) - scene.box).max() < 0.3 * (scene.box[2] - scene.box[0])
        for faces, scene in zip(found, scenes, strict=True)
        if faces
    ]
    assert sum(centers) >= 57
    assert sum(len(detector.detect(background)) for background in backgrounds) <= 1


@pytest.mark.skipif(not ILLUSTRATIONS.is_dir(), reason="../shared/data is absent")
def test_the_bundled_detector_finds_faces_of_illustrations() -> None:
    detector = Detector.load(MODEL / "detector.onnx")
    files = [path for path in sorted(ILLUSTRATIONS.iterdir()) if path.suffix != ".json"]
    found = [detector.detect(decode_pixels(path.read_bytes(), path.name)) for path in files]
    assert sum(bool(faces) for faces in found) >= 8
