"""Takes jobs from the queue, by procrastinate; a server, which only puts them there, does without this."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException

from vo.db.jobpool import JobPool, configure
from vo.db.queue import QUEUE, TASK

#: Should a notification be lost, the queue is looked at so often.
_POLL_SECONDS = 1.0
#: Entries of a worker that has said nothing for so long belong to nobody.
_STALLED_SECONDS = 60.0


async def run_queue(pool: JobPool, run: Callable[[int], Awaitable[None]], most: int) -> None:
    """Call ``run`` with the number of each queued job, ``most`` at a time, until cancelled or the database goes away.

    Cancelled, it waits for those that run. Raises psycopg's errors, or returns, when the database goes away.
    """
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(configure=configure))

    @app.task(name=TASK, queue=QUEUE)
    async def take(number: int) -> None:
        await run(number)

    await app.open_async(pool.pool)
    try:
        await app.run_worker_async(
            queues=[QUEUE],
            concurrency=most,
            fetch_job_polling_interval=_POLL_SECONDS,
            delete_jobs="always",
            install_signal_handlers=False,
            stalled_worker_timeout=_STALLED_SECONDS,
        )
    except ConnectorException as error:
        raise psycopg.OperationalError(str(error)) from error
