"""The toy project as a fixture, and one Prefect server for the flows of a test run."""

from collections.abc import Iterator

import pytest

from flows.server import quiet_environment, temporary_server
from tests.flows.toy import Project, make_toy


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The toy project, shared by the tests of a module, which leave it up to date."""
    return make_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server that PREFECT_API_URL names: a flow that starts one of its own takes longer."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PREFECT_HOME", "PREFECT_API_URL"):
            patch.delenv(name, raising=False)
        quiet_environment(tmp_path_factory.mktemp("prefect"))
        with temporary_server():
            yield
