"""Make the pictures of a model in docs/images: samples, and edits of them.

python docs/model_pictures.py --model models/anime64
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from nfe.bundle import Bundle, load_bundle
from nfe.face_editing import edit_faces
from nfe.files import write_bytes
from nfe.images import encode_png, make_grid, pixels_from_images
from nfe.picture_tables import picture_table
from nfe.sampling import sample_batches

HERE = Path(__file__).parent
EDITS = [
    {"hair_color": "blue"},
    {"hair_color": "pink"},
    {"hair_color": "blonde"},
    {"hair_color": "black"},
    {"hair_length": "short"},
    {"eye_color": "green"},
]
NUM_SAMPLES, COLUMNS, NUM_EDITED = 60, 12, 6
TRUNCATION = 0.8
SIDE, BATCH_SIZE = 96, 32


def main() -> None:
    """Make both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=HERE.parent / "models/anime64")
    parser.add_argument("--out", type=Path, default=HERE / "images")
    given = parser.parse_args()
    bundle = load_bundle(given.model, "cpu", bf16=False)
    w, pixels = sample(bundle)
    write_bytes(given.out / "samples.png", encode_png(make_grid(pixels, columns=COLUMNS)))
    edits = [edit for edit in EDITS if can_make(bundle, edit)]
    names = ["as it was", *(f"{v} {a.partition('_')[0]}" for e in edits for a, v in e.items())]
    rows = edit_samples(bundle, w[:NUM_EDITED], pixels[:NUM_EDITED], edits)
    table = picture_table(rows, [""] * len(rows), names, SIDE)
    write_bytes(given.out / "edited_samples.png", encode_png(table))


def sample(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Codes w and pixels of the seeds from 0 on."""
    batches = sample_batches(bundle.generator, range(NUM_SAMPLES), BATCH_SIZE, TRUNCATION, "cpu")
    parts = [(w.numpy(), pixels_from_images(images)) for _, w, images in batches]
    return np.concatenate([w for w, _ in parts]), np.concatenate([pixels for _, pixels in parts])


def can_make(bundle: Bundle, edit: dict[str, str]) -> bool:
    """Whether the model has a boundary for the edit."""
    known = {(b.attribute, b.value) for b in bundle.boundaries}
    return set(edit.items()) <= known


def others(bundle: Bundle, edit: dict[str, str]) -> list[str]:
    """All attributes that an edit shall keep."""
    return sorted({b.attribute for b in bundle.boundaries} - {*edit})


def edit_samples(
    bundle: Bundle, w: np.ndarray, pixels: np.ndarray, edits: list[dict[str, str]]
) -> np.ndarray:
    """Each sample and its edits, as the generator draws them."""
    codes = np.repeat(w[:, None], bundle.generator.num_ws, axis=1)
    rows = [
        edit_faces(
            pixels, codes, bundle, edit, others(bundle, edit), "auto", True, BATCH_SIZE
        ).pixels
        for edit in edits
    ]
    return np.stack([pixels, *rows], axis=1)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
