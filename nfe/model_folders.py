"""A folder with a generator: a bundle, or what train_gan wrote."""

from pathlib import Path
from typing import Any

from nfe.bundle import read_description
from nfe.errors import ModelFileError
from nfe.files import MANIFEST, check_manifest, read_json
from nfe.gan.networks import Generator
from nfe.gan.storage import load_generator

__all__ = ["describe_model", "list_models", "load_model_generator", "read_card"]

BUNDLE_DESCRIPTION = "model.json"
CARD = "README.md"
NETWORKS = "networks.json"  # of a generator without what editing needs


def load_model_generator(folder: Path, device: str) -> Generator:
    """Load the generator of a bundle, or of a folder that train_gan wrote.

    Args:
        folder: A bundle or a folder of networks.
        device: Where to put the generator.

    Raises:
        ModelFileError: If the folder holds no generator, or a damaged one.
    """
    folder = Path(folder)
    inside = folder / "generator"
    home = inside if inside.is_dir() else folder
    if not (home / MANIFEST).is_file():
        raise ModelFileError(
            f"{folder} must be a model folder with a generator, it has none; "
            "models/anime64 comes with the project, `nfe run` makes data/bundle/model"
        )
    return load_generator(home, device)


def describe_model(folder: Path) -> dict[str, Any]:
    """Say what is in a bundle, or in a folder that train_gan wrote.

    Returns:
        name (None outside bundles), resolution in pixels, num_ws, num_parameters of the
        generator; attributes: attribute -> value -> accuracies of its boundary; metrics: stage ->
        figures; bytes: entry of the folder -> its size.

    Raises:
        ModelFileError: If the folder holds no generator, or a file is missing or damaged.
    """
    folder = Path(folder)
    is_bundle = (folder / BUNDLE_DESCRIPTION).is_file()
    description = read_description(folder) if is_bundle else {}
    generator = load_model_generator(folder, "cpu")
    return {
        "name": description.get("name"),
        "resolution": generator.resolution,
        "num_ws": generator.num_ws,
        "num_parameters": sum(p.numel() for p in generator.parameters()),
        "attributes": description.get("attributes", {}),
        "metrics": description.get("metrics", {}),
        "bytes": {entry.name: _count_bytes(entry) for entry in sorted(folder.iterdir())},
    }


def list_models(root: Path, box: Path) -> list[dict[str, Any]]:
    """Find the models of a project: data/bundle/model and the folders of models/.

    Args:
        root: The project's folder.
        box: A model that is listed wherever it is.

    Returns:
        For each, in that order: folder, name, resolution in pixels, attributes (attribute ->
        values), megabytes, problem: "" when its files are whole,
        else why not, and the others are None.
    """
    places = [root / "data/bundle/model", *sorted((root / "models").glob("*"))]
    if not any(place.resolve() == box.resolve() for place in places):
        places.append(box)
    return [_list_row(p) for p in places if (p / "generator").is_dir() or (p / NETWORKS).is_file()]


def read_card(folder: Path) -> str:
    """Return the text of a model's README.md, "" if it has none."""
    card = Path(folder) / CARD
    return card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""


def _list_row(folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"folder": folder.as_posix(), "name": None, "resolution": None}
    row |= {"attributes": None, "megabytes": None, "problem": ""}
    try:
        is_bundle = (folder / "generator").is_dir()
        description = read_description(folder) if is_bundle else _read_networks(folder)
        row["name"] = description["name"]
        row["resolution"] = description["architecture"]["generator"]["resolution"]
        row["attributes"] = {name: list(v) for name, v in description["attributes"].items()}
        row["megabytes"] = round(_count_bytes(folder) / 1e6, 2)
    except ModelFileError as error:
        row["problem"] = str(error)
    except (KeyError, TypeError, AttributeError) as error:
        row["problem"] = f"{folder / BUNDLE_DESCRIPTION} must describe a model, got: {error!r}"
    return row


def _read_networks(folder: Path) -> dict[str, Any]:
    """Describe a folder of networks alone as a bundle is described."""
    check_manifest(folder)
    return {"name": None, "architecture": read_json(folder / NETWORKS), "attributes": {}}


def _count_bytes(entry: Path) -> int:
    files = entry.rglob("*") if entry.is_dir() else [entry]
    return sum(file.stat().st_size for file in files if file.is_file())
