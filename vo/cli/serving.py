"""What answers: ``vo demo``, ``vo serve``, ``vo work``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vo.cli.registry import publish_all
from vo.cli.shared import ERR, OUT, Data, Host, Port, address, app, escape, publish, read_settings, stoppable
from vo.errors import OperatorFault

if TYPE_CHECKING:
    from vo.db.connect import Database
    from vo.settings import Settings


@app.command()
def demo(port: Port = None, data: Data = None, host: Host = None) -> None:
    """Serve the synthetic demo collection from a private database.

    Makes what is missing (database, some 2,000 exposures, a dozen plates with files) and keeps it for the next time.

    Example: vo demo --port 8081 --data /tmp/vo-demo
    """
    from vo.app import make_server
    from vo.db.connect import open_database
    from vo.demo import load_demo
    from vo.ingest.alone import alone
    from vo.ingest.show import progress_bar
    from vo.work import worker_processes

    # Synthetic plates never go into an operator's own database.
    settings = read_settings(port=port, data_dir=data, host=host).model_copy(update={"dsn": None, "query_dsn": None})
    with stoppable(status=0), contextlib.ExitStack() as stack:
        server, listener = make_server(settings)
        stack.enter_context(listener)
        stack.enter_context(alone(settings.data_dir / "demo.lock", "vo demo", "--data"))
        ERR.print(f"Preparing the demo in {escape(str(settings.data_dir))} (the first time takes about half a minute)")
        database = stack.enter_context(open_database(settings))
        publish(settings, database, ("demo",))
        with progress_bar("demo", ERR) as progress:
            load_demo(database, settings, progress)
        base = address(settings, listener.getsockname()[1])
        publish_all(settings, database, base)
        stack.enter_context(worker_processes(settings))
        _show_demo(base, settings.data_dir)
        server.run(sockets=[listener])


@app.command()
def serve(port: Port = None, host: Host = None, data: Data = None) -> None:
    """Serve what has been ingested: TAP, SIA2, Datalink, SODA, pages; and run its jobs (VO_WORKERS processes).

    Example: vo serve --host 0.0.0.0 --port 8080
    """
    from vo.app import make_server
    from vo.context import make_context
    from vo.db.connect import open_database
    from vo.metadata.examples import read_examples
    from vo.work import worker_processes

    settings = read_settings(port=port, host=host, data_dir=data)
    with stoppable(status=0), contextlib.ExitStack() as stack:
        server, listener = make_server(settings)
        stack.enter_context(listener)
        database = stack.enter_context(open_database(settings))
        # Read once before the server does, so that what is wrong is told in a line.
        context = make_context(settings, database)
        read_examples(settings, context.collections)
        names = [collection.name for collection in context.collections]
        if not names:
            raise OperatorFault("nothing is published here yet: run `vo ingest <collection> <source>...` first")
        stack.enter_context(worker_processes(settings))
        base = address(settings, listener.getsockname()[1])
        _tell_of_records(settings, database, base)
        ERR.print(f"Serving {', '.join(names)} on [bold]{base}[/]; Ctrl-C stops")
        server.run(sockets=[listener])


@app.command()
def work(
    jobs: Annotated[int | None, typer.Option(help="Jobs to run at the same time.", min=1)] = None, data: Data = None
) -> None:
    """Run the jobs of TAP, beside a server or on another machine, until stopped.

    `vo serve` starts such workers itself (VO_WORKERS); more of them share the work. One that is stopped gives back
    what it has not done.

    Example: vo work --jobs 8
    """
    from vo.work import open_for_work, working

    settings = read_settings(worker_jobs=jobs, data_dir=data)
    with stoppable(status=0), open_for_work(settings) as database, working(settings, database) as worker:
        ERR.print(f"Running jobs, {settings.worker_jobs} at a time; Ctrl-C stops")
        worker.join()


def _tell_of_records(settings: Settings, database: Database, base: str) -> None:
    """Say when nobody elsewhere can find this server: it has no records, or they name another address."""
    from vo.registry.publish import published_base

    with database.read() as connection:
        published = published_base(connection, settings)
    if published is None:
        told = "No registry records are published: run `vo publish`, so that this server is found."
    elif published != base.rstrip("/"):
        told = f"The registry records say that this server is at {published}, not at {base}: run `vo publish` again."
    else:
        return
    ERR.print(f"[yellow]{escape(told)}[/]", soft_wrap=True)


_TRY = """\
Browser   {base}/plates/demo/comet_1941
TOPCAT    {base}/tap (TAP URL)
Aladin    {base}/sia2/query?POS=CIRCLE 214.62 28.41 1
Discovery {base}/discover?place=214.62+28.41&time=1941-02-03

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
    OUT.print(f"\n[bold]The demo collection is served on {base}[/] (synthetic plates)\n")
    OUT.print(_TRY.format(base=base), markup=False, soft_wrap=True)
    OUT.print(f"Ctrl-C stops; the data stay in {data_dir}", markup=False, soft_wrap=True)
