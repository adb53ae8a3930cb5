from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from .conftest import Nfe


def frames_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        frames = []
        for index in range(picture.n_frames):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGB")))
    return np.stack(frames)


def test_the_loop_passes_through_the_faces_of_the_seeds(
    nfe: Nfe, bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "walk.webp"
    result = nfe("interpolate", out, "--model", bundle, "--seeds", "4,1,2", "--frames", "5")
    assert result.exit_code == 0, result.output
    nfe("sample", tmp_path / "faces", "--model", bundle, "--seeds", "1,2,4")
    frames = frames_of(out)
    assert frames.shape == (15, 16, 16, 3)
    for index, seed in ((0, 4), (5, 1), (10, 2)):
        face = np.asarray(Image.open(tmp_path / f"faces/{seed:04d}.png"))
        assert (frames[index] == face).all()


def test_a_video_shows_the_frames_of_the_loop(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    arguments = ("--model", bundle, "--seeds", "4,1", "--frames", "6")
    for name in ("walk.webp", "walk.mp4"):
        result = nfe("interpolate", tmp_path / name, *arguments)
        assert result.exit_code == 0, result.output
    with av.open(tmp_path / "walk.mp4") as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 24 and stream.codec_context.pix_fmt == "yuv420p"
        shown = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
    expected = frames_of(tmp_path / "walk.webp")
    assert shown.shape == expected.shape
    grey = [
        frames.astype(float).mean(axis=3) for frames in (shown, expected)
    ]  # colours are coarser
    assert np.abs(grey[0] - grey[1]).mean() < 6


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("a.gif", ["--seeds", "1,2"], "OUT must end in .webp or .mp4, got"),
        ("a.webp", ["--seeds", "1"], "--seeds must be two at least, got '1'"),
        ("a.webp", ["--seeds", "0-100"], "--seeds must be at most 100 seeds"),
        ("a.webp", ["--seeds", "1,2", "--frames", "0"], "--frames must be 1 to 240, got 0"),
        ("a.webp", ["--seeds", "1,2", "--frames", "241"], "--frames must be 1 to 240, got 241"),
        ("a.webp", ["--seeds", "1,2", "--truncation", "nan"], "--truncation must be between"),
        ("a.webp", ["--seeds", "1,2", "--model", "nowhere"], "--model must be a model folder"),
    ],
)
def test_wrong_usage_is_one_line(
    nfe: Nfe, bundle: Path, tmp_path: Path, name: str, arguments: list[str], message: str
) -> None:
    result = nfe("interpolate", tmp_path / name, "--model", bundle, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_user_stays(nfe: Nfe, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.webp"
    out.write_bytes(b"mine")
    arguments = ("interpolate", out, "--model", bundle, "--seeds", "1,2", "--frames", "2")
    assert nfe(*arguments).exit_code == 1
    assert out.read_bytes() == b"mine"
    assert nfe(*arguments, "--overwrite").exit_code == 0
    assert len(frames_of(out)) == 4
