"""Where an edited picture comes from, written into the picture itself, and read back with care.

A PNG carries it as an iTXt chunk named `nfe`; JPEG, WebP and AVIF as EXIF UserComment; a TIFF,
whose EXIF Pillow cannot write, as ImageDescription.
"""

import importlib.metadata
import json
import math
import os
import shlex
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from PIL import ExifTags, Image, PngImagePlugin

from nfe.editing import Strength
from nfe.errors import PictureError

__all__ = [
    "PARAMETERS",
    "FaceDistances",
    "Provenance",
    "command_of",
    "embed",
    "package_version",
    "read_provenance",
    "shell_quote",
]

PACKAGE = "neural-face-editor"
KEYWORD = "nfe"
FORMAT = 1
EXIF_SUFFIXES = (".jpg", ".webp", ".avif")
HEAD = f"{KEYWORD}:"
EXIF_HEAD = b"ASCII\0\0\0" + HEAD.encode()
MAX_TEXT = 60_000  # characters; a JPEG's EXIF holds 65,533 bytes
MAX_STRING = 4096
MAX_FILE_BYTES = 512_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
# The options of `nfe edit` that change a picture, beside --set, --keep, --strength and --model.
# No others come out of a picture, so that none can make the command do something else.
PARAMETERS = {
    "steps": int,
    "faces": str,
    "largest": bool,
    "paste-back": bool,
    "redraw": bool,
    "frames": str,
}


@dataclass(frozen=True)
class FaceDistances:
    """Of one face: `attribute=value` -> distance of its code from that boundary, in W units."""

    before: Mapping[str, float]
    after: Mapping[str, float]


@dataclass(frozen=True)
class Provenance:
    """What made a picture.

    Attributes:
        version: Of this package.
        model: Model folder as it was given.
        model_sha256: Hash of the model's manifest.
        input: Name of the input file, without its folder.
        input_sha256: Of its bytes.
        changes: Attribute -> value that was set.
        keep: Attributes that were kept.
        strength: "auto" or a distance.
        parameters: Option of `nfe edit` without its dashes -> value, of those of `PARAMETERS`
            that were given.
        faces: Of each edited face.
    """

    version: str
    model: str
    model_sha256: str
    input: str
    input_sha256: str
    changes: Mapping[str, str]
    keep: Sequence[str]
    strength: Strength
    parameters: Mapping[str, str | int | bool]
    faces: Sequence[FaceDistances]


def package_version() -> str:
    """Return the installed version of this package, or "unknown" where it is not installed."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def embed(provenance: Provenance, suffix: str) -> dict[str, Any]:
    """Return the arguments of Pillow's `save` that write a provenance into a picture.

    Of very many faces only as many are told as fit.

    Args:
        provenance: What to write.
        suffix: Of the file: .png, .jpg, .webp, .avif or .tiff; others take none, and get {}.
    """
    text = _encode(provenance)
    if suffix == ".png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(KEYWORD, text)
        return {"pnginfo": chunks}
    exif = Image.Exif()
    if suffix in EXIF_SUFFIXES:
        exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: EXIF_HEAD + text.encode()}
        return {"exif": exif}
    if suffix == ".tiff":
        exif[ExifTags.Base.ImageDescription] = HEAD + text
        return {"exif": exif}
    return {}


def read_provenance(path: Path) -> Provenance | None:
    """Read the provenance of a picture, without decoding the picture.

    Args:
        path: Any file.

    Returns:
        None if the picture carries none.

    Raises:
        PictureError: If the file is no picture or too large, or what it carries is damaged.
    """
    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"more than {MAX_FILE_BYTES} bytes")
            with Image.open(path, formats=FORMATS) as picture:
                text = _find_text(picture)
        except Exception as error:  # whatever Pillow raises over a damaged file
            reason = " ".join(str(error).split()) or type(error).__name__
            raise PictureError(f"{path.name} must be a readable picture, got: {reason}") from error
    return None if text is None else _decode(text, path.name)


def command_of(provenance: Provenance) -> str:
    """Return the command line that makes the picture again, quoted for a shell.

    The input is named without its folder; `edited` stands for any output folder.
    """
    name = provenance.input
    words = ["nfe", "edit", f"./{name}" if name.startswith("-") else name, "--out", "edited"]
    for attribute, value in provenance.changes.items():
        words += ["--set", f"{attribute}={value}"]
    for attribute in provenance.keep:
        words += ["--keep", attribute]
    words += ["--strength", str(provenance.strength), "--model", provenance.model]
    for option, given in provenance.parameters.items():
        if isinstance(given, bool):
            words.append(f"--{option}" if given else f"--no-{option}")
        else:
            words += [f"--{option}", str(given)]
    return " ".join(map(shell_quote, words))


def shell_quote(text: str) -> str:
    r"""Quote a word for a shell; what cannot be printed is escaped as bash and zsh read it.

    >>> print(shell_quote("it's blue"), shell_quote("a\nb"))
    'it'"'"'s blue' $'a\nb'
    """
    if text.isprintable():
        return shlex.quote(text)
    escapes = {"\n": r"\n", "\t": r"\t", "'": r"\'", "\\": r"\\"}
    pieces = []
    for character in text:
        if character in escapes:
            pieces.append(escapes[character])
        elif character.isprintable():
            pieces.append(character)
        else:
            pieces += [f"\\x{byte:02x}" for byte in os.fsencode(character)]
    return "$'" + "".join(pieces) + "'"


def _encode(provenance: Provenance) -> str:
    while True:
        text = json.dumps({"format": FORMAT, **asdict(provenance)}, allow_nan=False)
        if len(text) <= MAX_TEXT or not provenance.faces:
            return text
        provenance = replace(provenance, faces=provenance.faces[: len(provenance.faces) // 2])


def _find_text(picture: Image.Image) -> str | None:
    """Return our text in a picture's header: what stands before the pixels."""
    if picture.format == "PNG":
        text = picture.info.get(KEYWORD)
        return text if isinstance(text, str) else None
    exif = picture.getexif()
    described = exif.get(ExifTags.Base.ImageDescription)
    if picture.format == "TIFF" and isinstance(described, str) and described.startswith(HEAD):
        return described[len(HEAD) :]
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(comment, bytes) and comment.startswith(EXIF_HEAD):
        return comment[len(EXIF_HEAD) :].decode("ascii", "replace")
    return None


def _decode(text: str, name: str) -> Provenance:
    """Check every value of a text that anybody may have written."""
    try:
        if len(text) > MAX_TEXT:
            raise ValueError(f"more than {MAX_TEXT} characters")
        data = json.loads(text, parse_constant=_refuse)
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise ValueError(f"another format than {FORMAT}")
        return Provenance(
            version=_string(data, "version"),
            model=_string(data, "model"),
            model_sha256=_hash(data, "model_sha256"),
            input=_file_name(data, "input"),
            input_sha256=_hash(data, "input_sha256"),
            changes=_strings(data, "changes"),
            keep=_list_of_strings(data, "keep"),
            strength="auto" if data["strength"] == "auto" else _number(data, "strength"),
            parameters=_parameters(data, "parameters"),
            faces=tuple(
                FaceDistances(_numbers(face, "before"), _numbers(face, "after"))
                for face in data["faces"]
            ),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise PictureError(
            f"{name} must hold its settings as `nfe edit` wrote them, got: {reason}; "
            "take a picture that was not changed since"
        ) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} for a number")


def _string(data: Mapping[str, Any], key: str) -> str:
    if not isinstance(data[key], str) or len(data[key]) > MAX_STRING:
        raise ValueError(f"{key} is no text of at most {MAX_STRING} characters")
    return str(data[key])


def _file_name(data: Mapping[str, Any], key: str) -> str:
    name = _string(data, key)
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise ValueError(f"{key} is no name of a file")
    return name


def _hash(data: Mapping[str, Any], key: str) -> str:
    value = _string(data, key)
    if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise ValueError(f"{key} is no sha256")
    return value


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(data[key], dict):
        raise ValueError(f"{key} is no table")
    return dict(data[key])


def _strings(data: Mapping[str, Any], key: str) -> dict[str, str]:
    return {name: _string(table, name) for table in [_table(data, key)] for name in table}


def _list_of_strings(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    if not isinstance(data[key], list):
        raise ValueError(f"{key} is no list")
    return tuple(_string({key: value}, key) for value in data[key])


def _number(data: Mapping[str, Any], key: str) -> float:
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} is no number")
    return float(value)


def _numbers(data: Mapping[str, Any], key: str) -> dict[str, float]:
    return {name: _number(table, name) for table in [_table(data, key)] for name in table}


def _parameters(data: Mapping[str, Any], key: str) -> dict[str, str | int | bool]:
    table = _table(data, key)
    for name, value in table.items():
        if type(value) is not PARAMETERS.get(name):
            raise ValueError(f"{key} have {name[:40]!r}, which is not known")
    return table
