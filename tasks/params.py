"""A stage's parameters out of params.yaml, checked by the stage's strict model."""

import importlib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from nfe.errors import ParamsError
from tasks.stage import StageParams

__all__ = ["SHARED_SECTIONS", "describe_error", "load_model", "parse_params", "select_values"]

SHARED_SECTIONS = ("attributes",)  # a model with a field of this name is given the whole section


def load_model(stage: str) -> type[StageParams]:
    """Return the class `Params` of tasks/<stage>.py.

    Raises:
        ParamsError: If there is no such stage.
    """
    name = f"tasks.{stage}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ParamsError(f"stage must be one of dvc.yaml, got {stage}; see `nfe status`") from None
    model: type[StageParams] | None = getattr(module, "Params", None)
    if model is None:
        raise ParamsError(f"stage must be a module with Params and run, got {stage}")
    return model


def select_values(model: type[StageParams], stage: str, values: Mapping[str, Any]) -> Any:
    """Return what `model` is checked against: the stage's section and the shared ones.

    Raises:
        ParamsError: If `values` has no section for the stage.
    """
    if stage not in values:
        raise ParamsError(f"params.yaml must have a section {stage}, it has none; add it")
    section = values[stage] if values[stage] is not None else {}
    if not isinstance(section, Mapping):
        raise ParamsError(f"{stage} must be a mapping of keys to values, got {section!r}")
    shared = {name: values.get(name) for name in SHARED_SECTIONS if name in model.model_fields}
    return {**section, **shared}


def parse_params(stage: str, values: Mapping[str, Any]) -> StageParams:
    """Check the stage's values and return them as its model.

    Raises:
        ParamsError: If a key is unknown or missing, or a value is of the wrong type or range.
    """
    model = load_model(stage)
    try:
        return model.model_validate(select_values(model, stage, values))
    except ValidationError as error:
        lines = [describe_error(stage, details)[1] for details in error.errors()]
        raise ParamsError("; ".join(lines)) from None


def describe_error(stage: str, details: Any) -> tuple[str, str]:
    """Return the dotted key and the one-line message of one error of pydantic."""
    location = [str(part) for part in details["loc"]]
    if not location or location[0] not in SHARED_SECTIONS:
        location = [stage, *location]
    key = ".".join(location)
    got = repr(details["input"])
    if details["type"] == "extra_forbidden":
        return key, f"{key} must be a known key, it is not"
    if details["type"] == "missing":
        return key, f"{key} must be given, it is missing; add it to params.yaml"
    if details["type"] == "too_short":
        return key, f"{key} must be at least {details['ctx']['min_length']} long, got {got}"
    if details["type"] == "too_long":
        return key, f"{key} must be at most {details['ctx']['max_length']} long, got {got}"
    condition = details["msg"].removeprefix("Value error, ")
    for opening in ("Input should be ", "Input should "):
        condition = condition.removeprefix(opening)
    if details["type"] == "value_error":  # written by us, whole
        return key, f"{key}: {condition}"
    return key, f"{key} must be {condition}, got {got}"
