"""The command ``vo``: thin, it calls the packages and shows what they say.

A fault is one line on standard error and status 1; anything else that goes wrong is a bug and shows its traceback.

Each command imports what it alone needs when it runs (pyproject.toml allows it here): ``vo --help`` answers at once,
and ``vo ingest`` does without the web server.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer
from rich.logging import RichHandler

import vo
from vo.cli import archive, curating, harvesting, making, products, query, registry, serving, solutions
from vo.cli.shared import ERR, OUT, app, escape
from vo.errors import Fault

__all__ = [
    "app",
    "archive",
    "curating",
    "harvesting",
    "main",
    "making",
    "products",
    "query",
    "registry",
    "serving",
    "solutions",
]


def main() -> None:
    """Run the command line: the entry point ``vo``."""
    try:
        app()
    except Fault as fault:
        ERR.print(f"[bold red]vo:[/] [red]{escape(fault.text)}[/]", soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`vo adql ... | head`); Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _root(
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    if version:
        OUT.print(f"vo-plates {vo.__version__}")
        raise typer.Exit
    handler = RichHandler(console=ERR, show_path=False, log_time_format="%H:%M:%S")
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s", handlers=[handler])
