"""What an installation has of what its package asks for."""

import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.requirements import Requirement

__all__ = ["Part", "check_parts", "find_parts"]

State = Literal["ok", "missing", "wrong"]


@dataclass(frozen=True)
class Part:
    """A package that is asked for.

    Attributes:
        name: Of the package.
        needed: The versions asked for, such as ">=3.4,<4".
        extra: The extra that asks for it; empty for a main part.
        version: The version installed, if any.
        state: "ok" if the version is one asked for.
    """

    name: str
    needed: str
    extra: str
    version: str | None
    state: State


def find_parts(package: str) -> list[Part]:
    """Compare what is installed with what an installed package asks for; main parts first.

    Raises:
        importlib.metadata.PackageNotFoundError: If the package itself is not installed.
    """
    metadata = importlib.metadata.metadata(package)
    extras = metadata.get_all("Provides-Extra", [])
    requirements = importlib.metadata.requires(package) or []
    parts = check_parts(requirements, extras, _find_version)
    return [part for part in parts if part.name != package]


def check_parts(
    requirements: Iterable[str], extras: Sequence[str], find_version: Callable[[str], str | None]
) -> list[Part]:
    """Compare versions with requirements.

    Args:
        requirements: As package metadata has them: `torch==2.13.0`, `ruff>=0.8; extra == "dev"`.
            What another system needs is left out.
        extras: Names of the extras.
        find_version: Package name -> installed version, or None.
    """
    parts = []
    for requirement in map(Requirement, requirements):
        for extra in ("", *extras):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                parts.append(_check(requirement, extra, find_version(requirement.name)))
                break
    return parts


def _check(requirement: Requirement, extra: str, version: str | None) -> Part:
    state: State = "missing"
    if version is not None:
        fits = requirement.specifier.contains(version, prereleases=True)
        state = "ok" if fits else "wrong"
    return Part(requirement.name, str(requirement.specifier), extra, version, state)


def _find_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
