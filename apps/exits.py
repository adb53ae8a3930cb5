"""How every command ends: one line that says what to do, and an exit code."""

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import typer

from nfe.errors import NFEError, ParamsError

__all__ = ["errors_to_exit_codes", "fail"]


@contextlib.contextmanager
def errors_to_exit_codes() -> Iterator[None]:
    """End the command when it meets an error: 2 for its arguments, 1 for files."""
    try:
        yield
    except ParamsError as error:
        fail(2, str(error))
    except NFEError as error:
        fail(1, str(error))


def fail(code: int, message: str) -> NoReturn:
    """Print a message as `error:` lines and end with `code`."""
    for line in message.splitlines():
        typer.echo(f"error: {line}", err=True)
    raise typer.Exit(code)
