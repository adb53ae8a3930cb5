"""Two hundred files such as people have: every mode and format, odd names, links, and bad ones."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms

NUM_FILES = 200
LONG_NAME = "长" * 83 + "ab.png"  # 255 bytes, the most that file systems take
ODD_NAMES = [
    "-dash.png",
    "--out.png",
    " spaces .png",
    "quote's\"$(x).png",
    "[x].png",
    "100%s{}.png",
    "夏のフェス.png",
    "😀.png",
    "line\u2028end.png",
    "turned\u202egnp.png",
    os.fsdecode(b"no-utf8-\xff\xfe.png"),
    LONG_NAME,
]
RNG = np.random.default_rng(0)
FACE = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
SCENE = RNG.integers(150, 256, (40, 50, 3), dtype=np.uint8)  # bright: has a face, by the detector
MODES = {
    "png": ("1", "L", "LA", "P", "P with transparency", "RGB", "RGBA", "I;16", "I"),
    "jpeg": ("L", "RGB", "CMYK"),
    "webp": ("RGB", "RGBA"),
    "avif": ("RGB", "RGBA"),
    "bmp": ("1", "L", "P", "RGB", "RGBA"),
    "gif": ("1", "L", "P", "P with transparency"),
    "tiff": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB"),
}


def make_good(folder: Path) -> list[str]:
    """Write pictures that can be edited, and links to some; return their names, sorted."""
    for kind, modes in MODES.items():
        for mode in modes:
            for what, pixels in (("face", FACE), ("scene", SCENE)):
                options = {"transparency": 0} if mode.endswith("transparency") else {}
                put(folder / f"{kind}/{mode} {what}.{kind}", in_mode(pixels, mode), kind, **options)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = turn
        put(folder / f"turned/{turn}.jpg", Image.fromarray(SCENE), "jpeg", exif=exif, quality=90)
        put(folder / f"turned/{turn}.webp", Image.fromarray(SCENE), "webp", exif=exif)
    put(folder / "exif-damaged.jpg", Image.fromarray(FACE), "jpeg", exif=b"Exif\0\0II*\0\xff\xff")
    put(folder / "progressive.jpg", Image.fromarray(SCENE), "jpeg", progressive=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("png", "jpeg", "tiff", "webp"):
        put(folder / f"icc/good.{kind}", Image.fromarray(SCENE), kind, icc_profile=profile)
    put(folder / "icc/damaged.png", Image.fromarray(SCENE), "png", icc_profile=b"nonsense")
    frames = [Image.fromarray(np.roll(FACE, i, axis=1)) for i in range(3)]
    for kind in ("gif", "webp", "png", "avif"):
        put(folder / f"moving/a.{kind}", frames[0], kind, save_all=True, append_images=frames[1:])
    pages = [Image.fromarray(FACE[..., 0].astype(np.uint16) * 257)] * 2
    put(folder / "pages.tiff", pages[0], "tiff", save_all=True, append_images=pages[1:])
    put(folder / "camera.jpg", frames[0], "mpo", save_all=True, append_images=frames[1:])
    put(folder / "folder.png/inside.png", Image.fromarray(FACE), "png")
    for name in ODD_NAMES:
        put(folder / "odd" / name, Image.fromarray(FACE), "png")
    for name in ("same.png", "same.gif", "SAME.png", "same.jpg"):
        put(folder / name, Image.fromarray(FACE), name[-3:].replace("jpg", "jpeg"))
    put(folder / "wrong.txt.jpg", Image.fromarray(FACE), "png")
    put(folder / "no-suffix", Image.fromarray(FACE), "png")
    put(folder / "large.png", Image.new("RGBA", (3000, 2000), (200, 180, 190, 128)), "png")
    (folder / "link.png").symlink_to("progressive.jpg")
    (folder / "linked-folder").symlink_to("icc")
    (folder / "loop-folder").symlink_to(".")
    return visible_files(folder)


def add_bad(folder: Path) -> None:
    """Add what cannot be edited, until there are `NUM_FILES` files."""
    notes = {"read me.md": b"hello", "notes.txt": b"a\nb", "data.json": b"{}", ".hidden.png": b""}
    fakes = {
        "text.png": b"text",
        "page.jpg": b"<html></html>",
        "zero.webp": b"",
        "nul.png": b"\0" * 99,
    }
    heads = {"head.png": b"\x89PNG\r\n\x1a\n", "head.jpg": b"\xff\xd8\xff", "head.gif": b"GIF89a"}
    for name, data in {**notes, **fakes, **heads, **bombs()}.items():
        (folder / f"bad {name}").write_bytes(data)
    (folder / "bad link.png").symlink_to("nowhere.png")
    (folder / "bad loop.png").symlink_to("bad loop.png")
    os.mkfifo(folder / "bad pipe.png")
    kinds = ("png", "jpeg", "webp", "avif", "bmp", "tiff")
    for number in range(NUM_FILES - len(visible_files(folder))):
        kind, share = kinds[number % len(kinds)], 0.2 + 0.6 * (number // len(kinds) % 5) / 5
        data = saved(Image.fromarray(SCENE), kind)
        (folder / f"cut {number}.{kind}").write_bytes(data[: int(len(data) * share)])


def bombs() -> dict[str, bytes]:
    """Pictures whose headers promise billions of pixels, or 63 million that are not there."""
    webp = struct.pack("<4sI4s4sIBBBB", b"RIFF", 22, b"WEBP", b"VP8L", 5, 0x2F, 0xFF, 0xFF, 0xFF)
    jpeg = bytearray(saved(Image.fromarray(FACE), "jpeg"))
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 65_000, 65_000)
    bmp = bytearray(saved(Image.fromarray(FACE), "bmp"))
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    gif = bytearray(saved(Image.fromarray(FACE), "gif"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    return {
        "bomb.png": png_of(60_000, 60_000),
        "bomb.webp": webp + b"\x0f\0",
        "bomb.jpg": bytes(jpeg),
        "bomb.bmp": bytes(bmp),
        "bomb.gif": bytes(gif),
        "liar.png": png_of(8_000, 7_900),
        "liar-2.png": png_of(7_900, 8_000),
    }


def png_of(width: int, height: int) -> bytes:
    """A PNG with a right header and next to no pixels."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 99)),
    )
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*parts, (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def in_mode(pixels: np.ndarray, mode: str) -> Image.Image:
    """Convert RGB pixels to a picture of any mode."""
    picture, grey = Image.fromarray(pixels), pixels[..., 0]
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(grey.astype(np.int32) * 257)
    if mode == "F":
        return Image.fromarray(grey.astype(np.float32))
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    if mode == "PA":
        return picture.convert("P").convert("PA")
    return picture.convert(mode.split()[0])


def put(path: Path, picture: Image.Image, kind: str, **options: object) -> None:
    """Write a picture where it shall be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(saved(picture, kind, **options))


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Encode a picture."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def visible_files(folder: Path) -> list[str]:
    """Names of all files but hidden ones; links to folders are not entered."""
    return sorted(
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )
