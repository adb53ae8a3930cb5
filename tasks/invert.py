"""Invert pictures: codes of their faces, by the encoder and refinement."""

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nfe.errors import PictureError, SourceError
from tasks.refinement import ENCODER, GENERATOR, TAGGER, Refinement
from tasks.stage import StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    import numpy as np

    from nfe.faces.detection import Detector
    from nfe.sources import SourcePicture

FOLDER = Path("data/invert")
PAIR_ROWS, PAIR_COLUMNS = 8, 4


class Params(StageParams):
    """Section `invert` of params.yaml.

    Attributes:
        source: Folder, zip or file of pictures.
        num_images: Faces to invert, the first of the source.
        faces: `detect` the largest face of each picture, or take each as a `whole` face.
        detector: ONNX face detector.
        margin: Space added on each side of a detected face, as a share of its side.
        max_angle: Most degrees by which a face is turned to set its eyes level.
        refinement: Optimisation from the encoder's codes; 0 steps for none.
        batch_size: Images at a time.
    """

    source: str
    num_images: Annotated[int, Field(ge=1, le=1_000_000)]
    faces: Literal["detect", "whole"]
    detector: str
    margin: Annotated[float, Field(ge=-0.4, le=2, strict=False)]
    max_angle: Annotated[float, Field(ge=0, le=180, strict=False)]
    refinement: Refinement
    batch_size: Annotated[int, Field(ge=1, le=4096)]


def run(params: Params) -> None:
    """Write codes.npz, index.parquet, faces.zip, reconstructions.zip and pairs.png."""
    import pandas as pd

    from nfe.files import atomic_path, write_bytes, write_npz, write_stored_zip
    from nfe.gan.storage import load_generator
    from nfe.images import encode_png, images_from_pixels, pixels_from_images
    from nfe.inversion.storage import load_encoder
    from nfe.metrics.reconstruction import mse, psnr
    from nfe.tagging.storage import load_tagger_network
    from tasks.refinement import encode, refine_codes, synthesise

    device = pick_device()
    generator = load_generator(GENERATOR, device)
    encoder = load_encoder(ENCODER, device)
    feature_maps = load_tagger_network(TAGGER, device).feature_maps
    names, pixels, rejects = read_faces(params, generator.resolution)
    images = images_from_pixels(pixels).to(device)

    started = time.monotonic()
    codes = encode(encoder, images, params.batch_size)
    w_plus = refine_codes(
        images,
        codes,
        generator,
        encoder,
        feature_maps,
        params.refinement,
        params.batch_size,
        "invert",
    )
    seconds = time.monotonic() - started
    before = synthesise(generator, codes, params.batch_size)
    after = synthesise(generator, w_plus, params.batch_size)
    shown = pixels_from_images(after)

    write_npz(FOLDER / "codes.npz", {"w_plus": w_plus.cpu().numpy()})
    index = {"name": names, "mse": mse(after, images).cpu(), "psnr": psnr(after, images).cpu()}
    with atomic_path(FOLDER / "index.parquet") as partial:
        pd.DataFrame(index).to_parquet(partial, index=False)
    for zip_name, pictures in (("faces.zip", pixels), ("reconstructions.zip", shown)):
        members = zip(names, map(encode_png, pictures), strict=True)
        write_stored_zip(FOLDER / zip_name, members)
    write_bytes(FOLDER / "pairs.png", encode_png(pairs(pixels, shown)))
    write_metrics(
        FOLDER,
        {
            "num_images": len(names),
            "num_rejects": sum(rejects.values()),
            **{f"num_{reason}": count for reason, count in sorted(rejects.items())},
            "encoder_mse": float(mse(before, images).mean()),
            "encoder_psnr": float(psnr(before, images).mean()),
            "mse": float(mse(after, images).mean()),
            "psnr": float(psnr(after, images).mean()),
            "seconds_per_image": round(seconds / len(names), 4),
        },
    )


def read_faces(params: Params, resolution: int) -> "tuple[list[str], np.ndarray, Counter[str]]":
    """Read the first faces of the source.

    Returns:
        Unique PNG names, pixels [N, resolution, resolution, 3], and how many pictures were
        passed over for each reason.

    Raises:
        SourceError: If not one picture holds a face.
    """
    import numpy as np

    from nfe.faces.detection import Detector
    from nfe.sources import list_source

    detector = Detector.load(Path(params.detector)) if params.faces == "detect" else None
    faces: dict[str, np.ndarray] = {}
    rejects: Counter[str] = Counter()
    for picture in list_source(Path(params.source)):
        if len(faces) == params.num_images:
            break
        face = _face_of(picture, detector, params, resolution)
        if isinstance(face, str):
            rejects[face] += 1
            continue
        name = f"{picture.name.rpartition('.')[0] or picture.name}.png"
        faces[name if name not in faces else f"{picture.name}.png"] = face
    if not faces:
        raise SourceError(
            f"{params.source} must hold at least one face, got "
            f"{rejects['no_face']} pictures without one and {rejects['unreadable']} that cannot be "
            f"read; change invert.source, or set invert.faces to whole if each picture is a face"
        )
    return list(faces), np.stack(list(faces.values())), rejects


def _face_of(
    picture: "SourcePicture", detector: "Detector | None", params: Params, resolution: int
) -> "np.ndarray | str":
    """Return the pixels of the picture's largest face, or the reason why there is none."""
    from nfe.faces.alignment import align, face_transform, whole_picture_transform
    from nfe.images import decode_pixels

    try:
        pixels = decode_pixels(picture.read(), picture.name)
    except (PictureError, SourceError):
        return "unreadable"
    if detector is None:
        return align(pixels, whole_picture_transform(pixels), resolution)
    faces = detector.detect(pixels)
    if not faces:
        return "no_face"
    largest = max(faces, key=lambda face: face.box[2] - face.box[0])
    return align(pixels, face_transform(largest, params.margin, params.max_angle), resolution)


def pairs(pixels: "np.ndarray", reconstructions: "np.ndarray") -> "np.ndarray":
    """Return pictures beside their reconstructions, several pairs in a row."""
    import numpy as np

    from nfe.images import make_grid

    count = min(len(pixels), PAIR_ROWS * PAIR_COLUMNS)
    both = np.stack([pixels[:count], reconstructions[:count]], axis=1)
    return make_grid(both.reshape(-1, *pixels.shape[1:]), columns=2 * PAIR_COLUMNS)
