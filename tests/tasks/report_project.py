"""A project folder in which every stage left tiny outputs, and nothing the report does not name."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nfe.boundaries import Boundary, save_boundaries
from nfe.files import write_bytes, write_json, write_stored_zip, write_text
from nfe.images import encode_png
from tasks.report_sections import INPUTS

NAMES = [f"sub/{i}.png" for i in range(12)]
EDITS = {"hair_color=blue": {"hair_color": "blue"}, "smile=yes": {"smile": "yes"}}
CASE = {"num_images": 11.0, "success": 0.5, "preservation": 0.75, "kept": 1.0}
CASES = {
    f"{mode}_{kind}": CASE
    for mode in ("unconditional", "conditional")
    for kind in ("inverted", "generated")
}
NO_CASES = {name: {"num_images": 0.0} for name in CASES}
METRICS: dict[str, dict[str, Any]] = {
    "edit": {
        "num_inverted": 12,
        "same_of_mirror_image": {"hair_color": 0.96, "eye_color": 0.84},
        "edits": {"hair_color=blue": CASES, "smile=yes": NO_CASES},
        "conditional_inverted_success": 0.5,
        "conditional_generated_success": 0.5,
    },
    "evaluate_gan": {
        "num_fake": 12345,
        "fd_judge": 12.34567,
        "precision_judge": 0.7,
        "recall_judge": 0.2,
    },
    "tag": {"smile": {"share_labelled": 0.5, "mean_confidence": 0.9, "num_yes": 1, "num_no": 2}},
    "train_tagger": {
        **{
            name: {"smile": {"accuracy": 0.9, "chance": 0.5, "calibration_error": 0.01}}
            for name in ("tagger", "judge")
        },
        "label_ceiling": {"smile": {"accuracy": 0.95}},
    },
    "curate": {"num_faces": 10, "num_train": 7, "num_holdout": 1, "num_blurred": 2},
}
TEXTS = {
    "table.csv": "method,mse,edit_success,seconds_per_image\nin_domain,0.0123456,0.99,0.4\n"
    "encoder,0.05,0.8,0.001\n",
    "accuracies.csv": "boundary,part,num,accuracy,balanced_accuracy,balanced_low,balanced_high\n"
    "hair_color=blue,validation,9,0.9,0.9,0.8,1.0\nhair_color=blue,remaining,9,0.8,0.7,0.6,0.8\n",
    "shares.csv": "attribute,value,data,samples,error\nsmile,yes,0.5,0.4,-0.2\n",
    "curves.csv": "kimg,frechet,diversity,loss_g,loss_d,real_logits,fake_logits\n"
    "1,9,0.1,1,2,0.5,-0.5\n2,5,0.2,2,1,0.4,-0.4\n",
}


def make_report_project(root: Path) -> None:
    """Write all that the report reads under `root`."""
    for stage, files in INPUTS.items():
        folder = root / "data" / stage
        write_json(folder / "metrics.json", METRICS.get(stage, {"some_share": 0.98765}))
        for name in files:
            if name.endswith(".png"):
                write_bytes(folder / name, picture(40, 700 if name == "methods.png" else 130))
            elif name.endswith(".csv"):
                write_text(folder / name, TEXTS[name])
    data = root / "data"
    for name in ("faces.zip", "reconstructions.zip"):
        write_stored_zip(data / "invert" / name, [(n, picture(8, 8)) for n in NAMES])
    errors = pd.DataFrame({"name": NAMES, "mse": np.linspace(0.01, 0.1, len(NAMES))})
    errors.to_parquet(data / "invert/index.parquet", index=False)
    rows = io.StringIO()
    for edit, changes in EDITS.items():
        for name in NAMES:
            write_bytes(data / "edit/pictures" / edit / name, picture(8, 8))
            rows.write(json.dumps(edited_row(edit, changes, name)) + "\n")
    write_text(data / "edit/edit.jsonl", rows.getvalue())
    boundaries = [boundary("hair_color", "blue", [1.0, 0.0]), boundary("smile", "yes", [0.6, 0.8])]
    save_boundaries(data / "fit_boundaries/boundaries", boundaries)


def edited_row(edit: str, changes: dict[str, str], name: str) -> dict[str, Any]:
    """Return a row of edit.jsonl: even pictures get what was wanted, picture 3 loses the smile."""
    number = int(name[4:-4])
    before = {"hair_color": "red", "smile": "no"}
    after = before | (changes if number % 2 == 0 else {})
    if number == 3 and "smile" not in changes:
        after["smile"] = "yes <&>"
    return {
        "name": name,
        "output": f"{edit}/{name}",
        "set": changes,
        "judge_before": before,
        "judge_after": after,
    }


def boundary(attribute: str, value: str, normal: list[float]) -> Boundary:
    """Return a boundary of white codes, whose correlations are the cosines of the normals."""
    array = np.array(normal)
    return Boundary(attribute, value, "w", array, 0.0, array, 1.0, {}, {})


def picture(height: int, width: int) -> bytes:
    """Return a PNG with a gradient."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    return encode_png(pixels)
