"""Compare the ways to invert pictures, on held-out faces, in one table and four pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from tasks.attributes import AttributeTable
from tasks.edits import Edit, load_studio, possible_edits
from tasks.inversion_figures import Bench, measure
from tasks.inversion_methods import Material, invert_by_all
from tasks.inversion_settings import (
    Blurred,
    GeneratorRefinement,
    Method,
    MethodSettings,
    MultiCode,
)
from tasks.params import parse_params
from tasks.refinement import (
    BASELINES,
    ENCODER,
    GENERATOR,
    HOLDOUT,
    INDEX,
    JUDGE,
    TAGGER,
    Optimisation,
)
from tasks.stage import StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    import numpy as np

    from nfe.inversion.encoders import Encoder

FOLDER = Path("data/evaluate_encoder")
CHOSEN = "in_domain"  # what the stage invert does
NUM_ROWS, SIDE = 8, 96


class Params(StageParams):
    """Section `evaluate_encoder` of params.yaml.

    The refinement of in_domain is that of the section `invert`; how far edits go is set in `edit`.

    Attributes:
        num_images: Held-out faces to invert.
        methods: Which optimisations take part, beside every trained encoder.
        image2stylegan: Optimisation from the mean code.
        nfe_z: Optimisation in Z on blurred pictures.
        mganprior: Several codes per picture.
        generator_refinement: The encoder's code, and a small change of the generator.
        edits: What to do to the inverted pictures.
        batch_size: Images at a time.
        num_sampled: Sampled codes to compare the inverted ones with.
        edit_distance: How far the edit goes that an encoder is to find again, in deviations
            of the sampled codes along their main axis.
        num_folds: Folds of the classifier that tells inverted from sampled codes.
        seed: Draws the sampled codes, the folds, and what methods draw.
        attributes: What the judge is asked.
    """

    num_images: Annotated[int, Field(ge=4, le=100_000)]
    methods: list[Method]
    image2stylegan: Optimisation
    nfe_z: Blurred
    mganprior: MultiCode
    generator_refinement: GeneratorRefinement
    edits: Annotated[list[Edit], Field(min_length=1)]
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    num_sampled: Annotated[int, Field(ge=100, le=1_000_000)]
    edit_distance: Annotated[float, Field(gt=0, le=10, strict=False)]
    num_folds: Annotated[int, Field(ge=2, le=20)]
    seed: int
    attributes: AttributeTable

    @field_validator("methods")
    @classmethod
    def check_methods(cls, methods: list[Method]) -> list[Method]:
        """Check that no method takes part twice."""
        if len({*methods}) < len(methods):
            raise ValueError(f"must name each method once, got {methods}")
        return methods


def run(params: Params) -> None:
    """Write table.csv, four pictures, and the figures of each method."""
    import pandas as pd

    from nfe.comparison import comparison_sheet
    from nfe.files import write_bytes, write_text
    from nfe.images import encode_png, pixels_from_images, read_pixels_zip
    from tasks.inversion_sheets import draw_overlap, draw_trade_off

    others = _read_params()
    pixels = read_pixels_zip(HOLDOUT)[1][: params.num_images]
    bench = load_bench(params, others["edit"], pixels)
    settings = MethodSettings(
        others["invert"].refinement,
        **{
            name: getattr(params, name)
            for name in MethodSettings.__dataclass_fields__
            if name != "in_domain"
        },
    )
    rows, codes = {}, {}
    made, edited = {"picture": pixels}, {bench.edits[0].heading: pixels}
    for name, inversion in invert_by_all(bench.material, params.methods, settings):
        images, shown, row = measure(inversion, bench)
        rows[name] = row
        codes[name] = inversion.w_plus.flatten(0, 1).cpu().numpy()
        heading = name.replace("_", "\n" if len(name) > 12 else " ")
        made[heading], edited[heading] = pixels_from_images(images), shown
    table = pd.DataFrame.from_dict(rows, orient="index").round(4).rename_axis("method")
    write_text(FOLDER / "table.csv", table.to_csv())
    write_bytes(FOLDER / "methods.png", encode_png(comparison_sheet(made, NUM_ROWS, SIDE)))
    write_bytes(FOLDER / "edited.png", encode_png(comparison_sheet(edited, NUM_ROWS, SIDE)))
    draw_overlap(FOLDER / "overlap.png", codes, bench.material.w.cpu().numpy())
    successes = table["edit_success"].dropna().to_dict() if "edit_success" in table else {}
    draw_trade_off(FOLDER / "distortion_editability.png", table["mse"].to_dict(), successes)
    print(table.to_string(), flush=True)
    figures = {name: row.dropna().to_dict() for name, row in table.iterrows()}
    write_metrics(
        FOLDER,
        {
            "num_images": len(pixels),
            "edits": [edit.name for edit in bench.edits],
            "chosen": explain_choice(figures),
            **figures,
        },
    )


def load_bench(params: Params, editing: Any, pixels: "np.ndarray") -> Bench:
    """Load the models, sample codes, and look at the pictures as they are.

    Args:
        params: Own section.
        editing: Section `edit`, which says how far edits go.
        pixels: The pictures, uint8, [N, H, W, 3].

    Raises:
        ParamsError: If no edit is possible.
    """
    import torch

    from nfe.gan.storage import load_generator
    from nfe.images import images_from_pixels
    from nfe.tagging.storage import load_tagger_network

    device = pick_device()
    generator = load_generator(GENERATOR, device)
    random = torch.Generator().manual_seed(params.seed)
    z = torch.randn(params.num_sampled, generator.z_dim, generator=random).to(device)
    with torch.no_grad():
        w = generator.mapping(z)
    material = Material(
        images_from_pixels(pixels).to(device),
        generator,
        load_encoders(device),
        load_tagger_network(TAGGER, device).feature_maps,
        z,
        w,
    )
    studio = load_studio(editing)
    edits, _ = possible_edits(params.edits, studio.editor.boundaries)
    return Bench(
        material,
        load_tagger_network(JUDGE, device),
        studio,
        edits,
        studio.look(pixels),
        params.batch_size,
        params.edit_distance,
        params.num_folds,
        params.seed,
    )


def load_encoders(device: str) -> "dict[str, Encoder]":
    """Return the main encoder and every baseline that train_encoder made, by their rows' names."""
    from nfe.files import read_json
    from nfe.inversion.storage import load_encoder

    methods = read_json(BASELINES / INDEX)["methods"]
    baselines = {f"{name}_encoder": load_encoder(BASELINES / name, device) for name in methods}
    return {"encoder": load_encoder(ENCODER, device), **baselines}


def explain_choice(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Say in one sentence how the method that `invert` uses compares with the others."""

    def describe(name: str) -> str:
        row = rows[name]
        success = f", edits {row['edit_success']:.0%}" if "edit_success" in row else ""
        return (
            f"{name} mse {row['mse']:.3f}, perceptual {row['perceptual']:.3f}{success}, "
            f"{row['seconds_per_image']:.2g} s"
        )

    if CHOSEN not in rows:
        return f"invert uses {CHOSEN}, which took no part"
    others = "; ".join(describe(name) for name in rows if name != CHOSEN)
    return f"invert uses {describe(CHOSEN)}; the others: {others}"


def _read_params() -> dict[str, Any]:
    """Read the sections that evaluate_encoder shares with the stages that they belong to."""
    from ruamel.yaml import YAML

    values = YAML(typ="safe").load(Path("params.yaml"))
    return {stage: parse_params(stage, values) for stage in ("invert", "edit")}
