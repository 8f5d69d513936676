"""What the commands share: consoles, options, settings, and how a piece of work is stopped."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from vo.errors import OperatorFault

if TYPE_CHECKING:
    from vo.db.connect import Database
    from vo.metadata.collection import Collection
    from vo.settings import Settings

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

app = typer.Typer(
    name="vo",
    help="Publish archives of photographic plates to the Virtual Observatory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes any free one.", min=0, max=65535)]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the private database and of made files.")]


class Stop(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal: leave in good order."""


def read_settings(**given: object) -> Settings:
    """Settings of the environment, then of the command line; what is wrong with them is an operator's fault."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from vo.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except SettingsError as error:
        raise OperatorFault(f"a setting cannot be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"VO_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors())
        raise OperatorFault(f"{wrong} (docs/settings.md lists all settings)") from error


def publish(settings: Settings, database: Database, names: tuple[str, ...]) -> tuple[Collection, ...]:
    """Bring the database up to date for what it has, what the settings ask for, and these collections."""
    from vo.db.migrate import initialise, initialised_collections
    from vo.metadata.collection import load_collection
    from vo.metadata.felis import load_catalogue

    wanted = {*initialised_collections(database), *settings.collections, *names}
    collections = tuple(load_collection(settings, name) for name in sorted(wanted))
    initialise(database, load_catalogue(settings, collections))
    return collections


@contextlib.contextmanager
def stoppable(status: int = 130) -> Iterator[None]:
    """Leave the block in good order when asked to stop, whatever it is doing; a second signal does not hurry it.

    What is stopped before its work is done is no success for whoever goes on after it (``vo ingest ... && vo serve``).
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for number in heard:
            signal.signal(number, signal.SIG_IGN)
        raise Stop

    # What was ignored when we started (nohup, background jobs) stays ignored.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    except Stop:
        ERR.print("Stopped.")
        raise typer.Exit(status) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def address(settings: Settings, port: int) -> str:
    """Where people reach a server with these settings that listens on this port."""
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104 - compared, not bound
    return settings.base_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"


def escape(text: str) -> str:
    """Text that rich shows as it is."""
    return text.replace("[", "\\[")
