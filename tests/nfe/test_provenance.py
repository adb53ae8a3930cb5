import json
import subprocess
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from nfe.errors import PictureError
from nfe.provenance import (
    EXIF_HEAD,
    KEYWORD,
    MAX_TEXT,
    FaceDistances,
    Provenance,
    command_of,
    embed,
    read_provenance,
    shell_quote,
)

PROVENANCE = Provenance(
    version="0.1.0",
    model="data/bundle/model",
    model_sha256="a" * 64,
    input="夏 it's.png",
    input_sha256="b" * 64,
    changes={"hair_color": "blue"},
    keep=("hair_length", "smile"),
    strength=1.5,
    parameters={"steps": 20, "largest": True, "faces": "detect", "paste-back": False},
    faces=(FaceDistances({"hair_color=blue": -1.25}, {"hair_color=blue": 2.0}),),
)
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def save(path, provenance=PROVENANCE):
    Image.fromarray(PIXELS).save(path, **embed(provenance, path.suffix))
    return path


def save_text(path, text):
    """Write any text where a provenance stands."""
    if path.suffix == ".png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(KEYWORD, text)
        Image.fromarray(PIXELS).save(path, pnginfo=chunks)
    else:
        exif = Image.Exif()
        exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: EXIF_HEAD + text.encode()}
        Image.fromarray(PIXELS).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".tiff"])
def test_what_is_written_is_read(tmp_path, suffix):
    assert read_provenance(save(tmp_path / f"a{suffix}")) == PROVENANCE


def test_the_pixels_are_those_without_it(tmp_path):
    assert (np.asarray(Image.open(save(tmp_path / "a.png"))) == PIXELS).all()


def test_a_format_that_cannot_carry_it_takes_nothing():
    assert embed(PROVENANCE, ".bmp") == {}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".gif"])
def test_other_pictures_have_none(tmp_path, suffix):
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: b"ASCII\0\0\0a holiday"}
    Image.fromarray(PIXELS).save(tmp_path / f"a{suffix}", exif=exif)
    assert read_provenance(tmp_path / f"a{suffix}") is None


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_of_very_many_faces_as_many_are_told_as_fit(tmp_path, suffix):
    face = FaceDistances({"hair_color=blue": -1.2345}, {"hair_color=blue": 2.3456})
    crowd = replace(PROVENANCE, faces=(face,) * 5000)
    read = read_provenance(save(tmp_path / f"a{suffix}", crowd))
    assert read.changes == PROVENANCE.changes
    assert 300 < len(read.faces) < 5000
    assert len(json.dumps(asdict(read))) < MAX_TEXT


def test_the_command_is_that_of_the_options():
    expected = (
        "nfe edit './-a b.png' --out edited --set hair_color=blue --keep hair_length --keep smile "
        "--strength 1.5 --model data/bundle/model --steps 20 --largest --faces detect "
        "--no-paste-back"
    )
    assert command_of(replace(PROVENANCE, input="-a b.png")) == expected


@pytest.mark.parametrize(
    "word",
    ["plain", "it's", "a b", "$(rm -rf .)", "new\nline\t'\\", "\x1b[31m", "夏", "\udcff.png"],
)
def test_a_shell_reads_a_quoted_word_as_it_was(word):
    quoted = shell_quote(word)
    assert quoted.isprintable()
    said = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
    assert said.stdout == word.encode("utf-8", "surrogateescape")


def altered(**values):
    return json.dumps({"format": 1, **asdict(PROVENANCE), **values})


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "another format"),
        ('{"format": 2}', "another format"),
        ('{"format": 1}', "no 'version'"),
        ("[" * 50_000, "recursion"),
        (altered(version=5), "version is no text"),
        (altered(version="x" * 5000), "version is no text"),
        (altered(model_sha256="xyz"), "model_sha256 is no sha256"),
        (altered(input="../../etc/passwd"), "input is no name of a file"),
        (altered(strength="far"), "strength is no number"),
        (altered(strength=True), "strength is no number"),
        (altered(strength=float("nan")), "NaN for a number"),
        (altered(strength=1).replace('"strength": 1', '"strength": 1e999'), "strength is no num"),
        (altered(keep="smile"), "keep is no list"),
        (altered(changes=["hair"]), "changes is no table"),
        (altered(parameters={"out": "/home"}), "'out', which is not known"),
        (altered(parameters={"steps": "20"}), "'steps', which is not known"),
        (altered(faces=[{"before": {"a": "b"}, "after": {}}]), "a is no number"),
        (altered(faces=[1]), "not subscriptable"),
        (altered(version="x" * MAX_TEXT), "more than"),
    ],
)
def test_what_somebody_else_wrote_is_refused(tmp_path, suffix, text, reason):
    with pytest.raises(PictureError, match=rf"(?s)a\{suffix} must hold its settings.*{reason}"):
        read_provenance(save_text(tmp_path / f"a{suffix}", text))


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n", None])
def test_what_is_no_picture_is_refused(tmp_path, data):
    if data is not None:
        (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(PictureError, match=r"a\.png must be a readable picture"):
        read_provenance(tmp_path / "a.png")


def test_only_the_head_of_a_picture_is_read(tmp_path):
    path = save(tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[:-60])  # in the middle of the pixels
    assert read_provenance(path) == PROVENANCE
