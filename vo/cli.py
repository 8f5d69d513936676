"""The command ``vo``: thin, it calls the packages and shows what they say.

A fault is one line on standard error and status 1; anything else that goes wrong is a bug and shows its traceback.

Each command imports what it alone needs when it runs (pyproject.toml allows it here): ``vo --help`` answers at once,
and ``vo ingest`` does without the web server.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler

import vo
from vo.errors import Fault, OperatorFault

if TYPE_CHECKING:
    from vo.adql import Compiled
    from vo.adql.rewrite import Pass
    from vo.context import Context
    from vo.db.connect import Database
    from vo.metadata.collection import Collection
    from vo.metadata.fields import Catalogue
    from vo.settings import Settings

_OUT = Console(highlight=False)
_ERR = Console(stderr=True, highlight=False)
_ROWS = 20
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

app = typer.Typer(
    name="vo",
    help="Publish archives of photographic plates to the Virtual Observatory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes any free one.", min=0, max=65535)]
_Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the private database and of made files.")]


class _Stop(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal: leave in good order."""


def main() -> None:
    """Run the command line: the entry point ``vo``."""
    try:
        app()
    except Fault as fault:
        _ERR.print(f"[bold red]vo:[/] [red]{_escape(fault.text)}[/]", soft_wrap=True)
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
        _OUT.print(f"vo-plates {vo.__version__}")
        raise typer.Exit
    handler = RichHandler(console=_ERR, show_path=False, log_time_format="%H:%M:%S")
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s", handlers=[handler])


@app.command()
def demo(port: _Port = None, data: _Data = None, host: _Host = None) -> None:
    """Serve the synthetic demo collection from a private database.

    Makes what is missing (database, some 2,000 exposures, a dozen plates with files) and keeps it for the next time.

    Example: vo demo --port 8081 --data /tmp/vo-demo
    """
    from vo.app import make_server
    from vo.db.connect import open_database
    from vo.demo import load_demo
    from vo.ingest.show import progress_bar

    # Synthetic plates never go into an operator's own database.
    settings = _settings(port=port, data_dir=data, host=host).model_copy(update={"dsn": None, "query_dsn": None})
    with _stoppable(status=0), contextlib.ExitStack() as stack:
        server, listener = make_server(settings)
        stack.enter_context(listener)
        stack.enter_context(_alone(settings.data_dir))
        _ERR.print(
            f"Preparing the demo in {_escape(str(settings.data_dir))} (the first time takes about half a minute)"
        )
        database = stack.enter_context(open_database(settings))
        _publish(settings, database, ("demo",))
        with progress_bar("demo", _ERR) as progress:
            load_demo(database, settings, progress)
        _show_demo(_address(settings, listener.getsockname()[1]), settings.data_dir)
        server.run(sockets=[listener])


@app.command()
def init(
    collections: Annotated[list[str] | None, typer.Argument(help="Collections to publish from now on.")] = None,
    data: _Data = None,
) -> None:
    """Make or upgrade the database: roles, schemas, tables, indexes, TAP_SCHEMA.

    Without names it upgrades what is there. Repeatable; data stay.

    Example: vo init dasch poss1
    """
    from vo.db.connect import open_database

    settings = _settings(data_dir=data)
    with _stoppable(), open_database(settings) as database:
        published = _publish(settings, database, tuple(collections or ()))
        for collection in published:
            _OUT.print(f"{collection.name}: {_escape(collection.title)}")
        if not published:
            _OUT.print("The database is ready. No collection is published yet: vo init <collection>")


@app.command("ingest")
def ingest_sources(
    collection: Annotated[str, typer.Argument(help="The collection: a folder in resources.")],
    sources: Annotated[list[Path], typer.Argument(help="Exposure lists, header collections, FITS files or folders.")],
    data: _Data = None,
) -> None:
    """Load the metadata of plates: exposure lists, FITS headers.

    Each source is loaded whole or not at all; the same source again changes nothing. A report file
    names every row that was repaired or refused. Status 1 when a source failed.

    Example: vo ingest dasch exposures.ecsv
    """
    from vo.db.connect import open_database
    from vo.metadata.collection import load_collection

    settings = _settings(data_dir=data)
    known = load_collection(settings, collection)
    with _stoppable(), open_database(settings) as database:
        _publish(settings, database, (collection,))
        results = [_ingest_one(settings, database, known, source) for source in sources]
    if not all(results):
        raise typer.Exit(1)


@app.command()
def check(collection: Annotated[str, typer.Argument(help="The collection: a folder in resources.")]) -> None:
    """Read a collection's description back and say what is wrong with it.

    Needs no database.

    Example: vo check dasch
    """
    from vo.ingest.series import load_series
    from vo.metadata.collection import load_collection
    from vo.metadata.felis import load_catalogue

    settings = _settings()
    known = load_collection(settings, collection)
    catalogue = load_catalogue(settings, (known,))
    series = load_series(known)
    plates = catalogue.by_name[f"{known.name}.plates"]
    _OUT.print(f"[bold]{known.name}[/]: {_escape(known.title)}")
    _OUT.print(f"  {len(plates.columns)} columns in {plates.qualified}, {len(series)} series")
    limit = known.wide.max_plate_scale
    _OUT.print("  no plate is wide" if limit is None else f"  plates above {limit:g} arcsec/mm are wide")
    _OUT.print("[green]The description is sound.[/]")


@app.command()
def serve(port: _Port = None, host: _Host = None, data: _Data = None) -> None:
    """Serve what has been ingested: TAP, SIA2, Datalink, SODA, pages.

    Example: vo serve --host 0.0.0.0 --port 8080
    """
    from vo.app import make_server
    from vo.context import make_context
    from vo.db.connect import open_database

    settings = _settings(port=port, host=host, data_dir=data)
    with _stoppable(status=0), contextlib.ExitStack() as stack:
        server, listener = make_server(settings)
        stack.enter_context(listener)
        database = stack.enter_context(open_database(settings))
        # Read once before the server does, so that what is wrong is told in a line.
        names = [collection.name for collection in make_context(settings, database).collections]
        if not names:
            raise OperatorFault("nothing is published here yet: run `vo ingest <collection> <source>...` first")
        address = _address(settings, listener.getsockname()[1])
        _ERR.print(f"Serving {', '.join(names)} on [bold]{address}[/]; Ctrl-C stops")
        server.run(sockets=[listener])


@app.command()
def adql(
    query: Annotated[str, typer.Argument(help="The query, in quotes; - reads it from standard input.")],
    *,
    rows: Annotated[int | None, typer.Option(help="Rows to show at most (20).", min=0)] = None,
    tree: Annotated[bool, typer.Option(help="Show how the query was read.")] = True,
    sql: Annotated[bool, typer.Option(help="Show the SQL that it becomes.")] = True,
    columns: Annotated[bool, typer.Option(help="Show the columns of its result.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show the answer (or the plan) alone.")] = False,
    run: Annotated[bool, typer.Option(help="Run it; without, no database is needed.")] = True,
    explain: Annotated[bool, typer.Option("--explain", help="Show the database's plan instead of rows.")] = False,
    analyze: Annotated[bool, typer.Option("--analyze", help="Run it and show the plan with times.")] = False,
    without: Annotated[
        list[str] | None, typer.Option(metavar="PASS", help="Leave this pass of the rewriter out; repeatable.")
    ] = None,
    data: _Data = None,
) -> None:
    """Show what becomes of a query: its tree, its SQL, the columns of its result, and its rows or its plan.

    A plan is that of TAP's answer with the default MAXREC unless --rows is given. Hints name large tables that no
    index helps with. The passes are unwrap_truths, push_negations and others: a wrong name lists them.

    Example: vo adql -q "SELECT TOP 5 plate_id, s_ra, s_dec FROM demo.plates"

    Example: vo adql --explain "SELECT * FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(214.6, 28.4), s_region)"

    Example: vo adql --analyze --without use_cones "SELECT ... WHERE DISTANCE(s_ra, s_dec, 214.6, 28.4) < 1"

    Example: vo adql --no-run - < query.adql
    """
    from vo.adql.syntax.draw import point_at
    from vo.errors import ADQLFault

    if not run and (explain or analyze):
        raise OperatorFault("a plan comes from the database: leave --no-run out")
    settings = _settings(data_dir=data)
    text = sys.stdin.read() if query == "-" else query
    wanted = _Wanted(tree=tree and not quiet, sql=sql and not quiet, columns=columns and not quiet)
    try:
        with _stoppable():
            if run:
                _run_query(settings, text, wanted, _passes(without or ()), rows, plan=explain or analyze, times=analyze)
            else:
                _show_query(text, _all_published(settings), settings, wanted, _passes(without or ()), None)
    except ADQLFault as fault:
        _ERR.print(f"[bold red]vo:[/] [red]{_escape(fault.text)}[/]", soft_wrap=True)
        _ERR.print(
            point_at(text, fault.line, fault.column), markup=False, soft_wrap=True, end="\n" if fault.line else ""
        )
        raise typer.Exit(1) from None


@dataclass(frozen=True)
class _Wanted:
    """What to show of a query before its answer."""

    tree: bool
    sql: bool
    columns: bool


def _passes(without: Sequence[str]) -> tuple[Pass, ...]:
    """The rewriter's passes but those named."""
    from vo.adql.rewrite import PASSES

    names = {change.__name__: change for change in PASSES}
    unknown = [name for name in without if name not in names]
    if unknown:
        raise OperatorFault(f"there is no pass {unknown[0]}; the rewriter has {', '.join(names)}")
    return tuple(change for name, change in names.items() if name not in without)


def _all_published(settings: Settings) -> Catalogue:
    """The tables of the settings' collections, else of all that are described: what can be known without a database."""
    from vo.metadata.collection import list_collections, load_collection
    from vo.metadata.felis import load_catalogue

    names = settings.collections or list_collections(settings)
    return load_catalogue(settings, tuple(load_collection(settings, name) for name in names))


def _show_query(
    text: str, catalogue: Catalogue, settings: Settings, wanted: _Wanted, passes: tuple[Pass, ...], limit: int | None
) -> Compiled:
    """Compile a query and show what is wanted of it."""
    from rich.table import Table

    from vo.adql import compile_query
    from vo.adql.syntax.draw import break_sql, draw
    from vo.adql.syntax.parse import parse
    from vo.context import query_limits

    limits = query_limits(settings)
    if wanted.tree:
        _plain(draw(parse(text, limits)))
    compiled = compile_query(text, catalogue, max_rows=limit, limits=limits, passes=passes)
    if wanted.sql:
        _plain(break_sql(compiled.sql))
    if wanted.columns:
        table = Table("name", "datatype", "arraysize", "xtype", "unit", "ucd", "description")
        for one in compiled.fields:
            words = (one.name, one.datatype, one.arraysize, one.xtype, one.unit, one.ucd, one.description)
            table.add_row(*(_escape(word or "") for word in words))
        _OUT.print(table)
    return compiled


def _run_query(
    settings: Settings,
    text: str,
    wanted: _Wanted,
    passes: tuple[Pass, ...],
    rows: int | None,
    *,
    plan: bool,
    times: bool,
) -> None:
    """Show a query, then its rows, or its plan and hints."""
    from vo.context import make_context
    from vo.db.connect import open_database

    shown = (settings.maxrec_default if plan else _ROWS) if rows is None else rows
    with open_database(settings) as database:
        context = make_context(settings, database)
        compiled = _show_query(text, context.catalogue, settings, wanted, passes, shown + 1)
        if plan:
            _show_plan(context, compiled.sql, times=times)
        else:
            _show_rows(context, compiled, shown)


def _show_plan(context: Context, sql: str, *, times: bool) -> None:
    from vo.context import find_hints
    from vo.db.explain import draw_plan, explain

    with context.database.read() as connection:
        plan = explain(connection, sql, seconds=context.settings.sync_seconds, analyze=times)
    _plain(draw_plan(plan))
    for hint in find_hints(context, sql):
        _OUT.print(f"[yellow]hint:[/] {_escape(hint)}", soft_wrap=True)


def _show_rows(context: Context, compiled: Compiled, most: int) -> None:
    from rich.table import Table

    table = Table(*(_heading(field.name, field.unit) for field in compiled.fields))
    found: list[Sequence[Any]] = []
    with context.database.stream(compiled.sql, context.settings.sync_seconds) as stream:
        for batch in stream:
            found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    for row in found[:most]:
        table.add_row(*("" if value is None else _escape(str(value)) for value in row))
    _OUT.print(table)
    if len(found) > most:
        _OUT.print(f"There are more rows; these are the first {most} (--rows shows more).")


def _plain(text: str) -> None:
    """Lines that can be copied, with a blank one after them."""
    _OUT.print(text + "\n", markup=False, soft_wrap=True)


# -- what the commands share


def _settings(**given: object) -> Settings:
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


def _publish(settings: Settings, database: Database, names: tuple[str, ...]) -> tuple[Collection, ...]:
    """Bring the database up to date for what it has, what the settings ask for, and these collections."""
    from vo.db.migrate import initialise, initialised_collections
    from vo.metadata.collection import load_collection
    from vo.metadata.felis import load_catalogue

    wanted = {*initialised_collections(database), *settings.collections, *names}
    collections = tuple(load_collection(settings, name) for name in sorted(wanted))
    initialise(database, load_catalogue(settings, collections))
    return collections


@contextlib.contextmanager
def _stoppable(status: int = 130) -> Iterator[None]:
    """Leave the block in good order when asked to stop, whatever it is doing; a second signal does not hurry it.

    What is stopped before its work is done is no success for whoever goes on after it (``vo ingest ... && vo serve``).
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for number in heard:
            signal.signal(number, signal.SIG_IGN)
        raise _Stop

    # What was ignored when we started (nohup, background jobs) stays ignored.
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    except _Stop:
        _ERR.print("Stopped.")
        raise typer.Exit(status) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock: two demos in one folder would make the same files."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(data_dir / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OperatorFault(
            f"the folder {data_dir} cannot be written ({error.strerror}); choose another with --data"
        ) from error
    try:
        _lock(handle, data_dir)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, data_dir: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OperatorFault(
            f"another `vo demo` is at work in {data_dir}; stop it, or choose another folder with --data"
        ) from error


def _address(settings: Settings, port: int) -> str:
    """Where people reach the server."""
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104 - compared, not bound
    return settings.base_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _heading(name: str, unit: str | None) -> str:
    return _escape(f"{name} [{unit}]" if unit else name)


def _escape(text: str) -> str:
    """Text that rich shows as it is."""
    return text.replace("[", "\\[")


def _ingest_one(settings: Settings, database: Database, collection: Collection, source: Path) -> bool:
    """Ingest one source and show its summary; False when it failed."""
    from vo.ingest.load import ingest
    from vo.ingest.show import progress_bar, summary_table

    try:
        with progress_bar(source.name, _ERR) as progress:
            summary = ingest(database, settings, collection, source, progress=progress)
    except Fault as fault:
        told = fault.text if str(source) in fault.text else f"{source}: {fault.text}"
        _ERR.print(f"[bold red]vo:[/] [red]{_escape(told)}[/]", soft_wrap=True)
        return False
    _OUT.print(summary_table(summary))
    if summary.report is not None:
        _OUT.print(f"report: {_escape(str(summary.report))}", soft_wrap=True)
    return True


_TRY = """\
Browser   {base}/plates/demo/comet_1941
TOPCAT    {base}/tap (TAP URL)
Aladin    {base}/sia2/query?POS=CIRCLE 214.62 28.41 1

Python, after pip install pyvo: which plates saw the comet of 1941, their files, a cutout

import pyvo
plates = pyvo.dal.TAPService("{base}/tap").search(\"\"\"
    SELECT * FROM ivoa.obscore
    WHERE 1 = CONTAINS(POINT(214.62, 28.41), s_region) AND 30028.08 BETWEEN t_min AND t_max\"\"\")
print(plates.to_table()["obs_id", "target_name", "t_min"])
print(next(plates.iter_datalinks()).to_table()["semantics", "content_type", "description"])
with open("comet.fits", "wb") as file:
    file.write(plates[0].processed(circle=(214.62, 28.41, 0.15)).read())

"""


def _show_demo(base: str, data_dir: Path) -> None:
    """What to try next; plain text, so that the lines can be pasted."""
    _OUT.print(f"\n[bold]The demo collection is served on {base}[/] (synthetic plates)\n")
    _OUT.print(_TRY.format(base=base), markup=False, soft_wrap=True)
    _OUT.print(f"Ctrl-C stops; the data stay in {data_dir}", markup=False, soft_wrap=True)
