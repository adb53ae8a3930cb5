"""params.yaml: checked whole before any stage starts, and written by --profile and --set."""

import difflib
import io
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from nfe.errors import NFEError, ParamsError
from nfe.files import atomic_path, write_json
from tasks.params import SHARED_SECTIONS, describe_error, load_model, select_values

__all__ = ["check_params", "prepare_params", "stage_names", "suggest", "write_params"]

REMEMBERED = Path(".nfe") / "profile.json"
ABSENT = object()


def stage_names(root: Path) -> list[str]:
    """Return the names of the stages, as dvc.yaml lists them."""
    return list(_read(root / "dvc.yaml", round_trip=False).get("stages", {}))


def prepare_params(root: Path, profile: str | None, assignments: Sequence[str]) -> Any:
    """Return params.yaml with a profile and assignments applied, checked; write nothing.

    Args:
        root: The project's root.
        profile: Name of a file in profiles/, or `default` to undo the one applied before.
        assignments: `section.key=value`, the value in YAML.

    Returns:
        The content for `write_params`, and what to remember of the profile (None: as it is).

    Raises:
        ParamsError: With every error found, one a line.
    """
    values = _read(root / "params.yaml")
    remembered = None
    if profile is not None:
        overlay = _read_profile(root, profile)
        values = _put_back(values, _recall(root))
        before = _to_text(values)
        remembered = {"profile": profile, "replaced": _overlay(values, overlay), "before": before}
    for assignment in assignments:
        key, value = _parse_assignment(assignment)
        _assign(values, key.split("."), value)
    errors = check_params(values, stage_names(root))
    if errors:
        raise ParamsError("\n".join(errors))
    return values, remembered


def write_params(root: Path, values: Any, remembered: Mapping[str, Any] | None) -> None:
    """Write what `prepare_params` returned: .nfe/profile.json, then params.yaml."""
    if remembered is not None:
        write_json(root / REMEMBERED, remembered)
    with atomic_path(root / "params.yaml") as partial:
        _round_trip().dump(values, partial)


def check_params(values: Mapping[str, Any], stages: Sequence[str]) -> list[str]:
    """Return one line for each key or value that a stage's strict model refuses.

    Args:
        values: Content of params.yaml.
        stages: The stages that there are.
    """
    known = [*stages, *SHARED_SECTIONS]
    errors = [
        f"{section} must be a section of a stage, it is not{_did_you_mean(section, known)}"
        for section in values
        if section not in known
    ]
    models: dict[str, type[BaseModel]] = {}
    for stage in stages:
        try:
            models[stage] = load_model(stage)
        except NFEError as error:
            errors.append(str(error))
    for stage, model in models.items():
        try:
            model.model_validate(select_values(load_model(stage), stage, values))
        except ParamsError as error:
            errors.append(str(error))
        except ValidationError as error:
            for details in error.errors():
                errors.append(_describe(stage, details, models))
    return list(dict.fromkeys(errors))


def suggest(name: str, known: Sequence[str]) -> str | None:
    """Return the one of `known` that `name` was probably meant to be."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return close[0] if close else None


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    meant = suggest(name, known)
    return f"; did you mean {meant}?" if meant else f"; known are {', '.join(known)}"


def _describe(stage: str, details: Any, models: Mapping[str, type[BaseModel]]) -> str:
    key, message = describe_error(stage, details)
    if details["type"] != "extra_forbidden":
        return message
    *inner, name = details["loc"]
    fields = _keys(_model_at(models[stage], inner))
    everywhere = {field: s for s, model in models.items() for field in _keys(model)}
    meant = None if name in everywhere else suggest(str(name), fields)
    if meant:
        return f"{message}; did you mean {key.rpartition('.')[0]}.{meant}?"
    meant = suggest(str(name), list(everywhere))
    if meant:
        return f"{message}; did you mean {everywhere[meant]}.{meant}?"
    return f"{message}; known are {', '.join(fields)}"


def _keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of a section as they are written in params.yaml."""
    fields = {name: field.alias or name for name, field in model.model_fields.items()}
    return [key for name, key in fields.items() if name not in SHARED_SECTIONS]


def _model_at(model: type[BaseModel], location: Sequence[Any]) -> type[BaseModel]:
    """Follow the location of an error from a model to the model of its inner part."""
    for part in location:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        field = fields.get(str(part))
        inner = next(_models_in(field.annotation), None) if field else None
        model = inner or model
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


class _Representer(RoundTripRepresenter):
    """Writes `null` where there is nothing, as it stands in params.yaml."""


_Representer.add_representer(
    type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _round_trip() -> YAML:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _to_text(values: Any) -> str:
    stream = io.StringIO()
    _round_trip().dump(values, stream)
    return stream.getvalue()


def _read(path: Path, round_trip: bool = True) -> Any:
    yaml = _round_trip() if round_trip else YAML(typ="safe")
    try:
        values = yaml.load(path)
    except OSError as error:
        raise ParamsError(f"{path.name} must be readable, got: {error.strerror}") from error
    except YAMLError as error:
        words = " ".join(str(error).split())
        raise ParamsError(f"{path.name} must be YAML, got: {words}") from error
    if values is not None and not isinstance(values, Mapping):
        raise ParamsError(f"{path.name} must map sections to keys, got {type(values).__name__}")
    return values if values is not None else {}


def _read_profile(root: Path, profile: str) -> Any:
    if profile == "default":
        return {}
    path = root / "profiles" / f"{profile}.yaml"
    known = ["default", *sorted(p.stem for p in (root / "profiles").glob("*.yaml"))]
    if profile not in known:
        raise ParamsError(
            f"profile must be one of {', '.join(known)}, got {profile}"
            + (f"; did you mean {suggest(profile, known)}?" if suggest(profile, known) else "")
        )
    return _read(path)


def _parse_assignment(assignment: str) -> tuple[str, Any]:
    key, equals, text = assignment.partition("=")
    if not equals or not all(key.split(".")) or "." not in key:
        raise ParamsError(f"--set must be section.key=value, got {assignment}")
    try:
        return key, _round_trip().load(text)
    except YAMLError as error:
        words = " ".join(str(error).split())
        raise ParamsError(f"--set {key} must be a YAML value, got: {words}") from error


def _recall(root: Path) -> Any:
    path = root / REMEMBERED
    if not path.exists():
        return {"replaced": {}, "before": None}
    try:
        remembered = json.loads(path.read_text(encoding="utf-8"))
        before = _round_trip().load(str(remembered["before"]))
        return {"replaced": dict(remembered["replaced"]), "before": before}
    except (ValueError, KeyError, TypeError, YAMLError) as error:
        raise ParamsError(f"{path} must be what an earlier run wrote; delete it") from error


def _put_back(values: Any, remembered: Mapping[str, Any]) -> Any:
    """Undo a profile; a value that was changed since is kept.

    Args:
        values: Content of params.yaml, changed in place.
        remembered: `replaced`, key -> [value of the profile, value before it] (no second, if
            there was none), and `before`, the content before the profile was applied.
    """
    for key, (ours, *before) in remembered["replaced"].items():
        path = key.split(".")
        if _look_up(values, path) == ours:
            _assign(values, path, before[0] if before else ABSENT)
    untouched = remembered["before"]  # with the comments of replaced lists
    return untouched if untouched == values else values


def _overlay(values: Any, overlay: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Write the leaves of a profile over `values` and return what `_put_back` needs."""
    replaced: dict[str, list[Any]] = {}
    for path, value in _leaves(overlay, values):
        before = _look_up(values, path)
        if before != value:
            replaced[".".join(path)] = [value] if before is ABSENT else [value, before]
            _assign(values, path, value)
    return replaced


def _leaves(overlay: Any, values: Any, path: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield the path and the value of all that is written whole: what is no mapping in both."""
    for name, value in overlay.items():
        below = _look_up(values, [name])
        if isinstance(value, Mapping) and value and isinstance(below, Mapping):
            yield from _leaves(value, below, (*path, str(name)))
        else:
            yield (*path, str(name)), value


def _look_up(values: Any, path: Sequence[str]) -> Any:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return ABSENT
        values = values[part]
    return values


def _assign(values: Any, path: Sequence[str], value: Any) -> None:
    """Set, or with ABSENT delete, a key; sections on the way to it are made."""
    *outer, name = path
    for part in outer:
        if not isinstance(values.get(part), Mapping):
            values[part] = {}
        values = values[part]
    if value is ABSENT:
        values.pop(name, None)
    elif values.get(name, ABSENT) != value:
        values[name] = value
