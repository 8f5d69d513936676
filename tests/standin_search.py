"""Stands in for the process of a search: speaks the same lines, and does what its first argument says.

``quick`` finds three rows and ends. ``slow`` finds rows one by one until it is stopped. ``deaf`` hears nothing.
``broken`` writes what is no message. ``crash`` dies. ``empty`` finds none. ``many`` finds more rows than are kept.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from vo.web.discovery.order import STOP, read_order

_DID = "ivo://vo-plates.example/demo?comet_1941/1"


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say(**message: object) -> None:
    write(json.dumps(message))


def row(number: int) -> dict[str, object]:
    return {
        "obs_id": f"image {number}",
        "target_name": f"<b>comet</b> {number}",
        "access_url": "javascript:alert(1)" if number == 1 else f"https://archive.invalid/{number}",
        "access_format": "image/fits",
        "obs_publisher_did": _DID if number == 0 else f"ivo://elsewhere/x?{number}",
        "s_ra": 214.62,
        "s_dec": -0.5,
        "t_min": 30028.0 + number,
        "t_max": 30028.1 + number,
        "facility_name": "Station",
        "instrument_name": "\N{GREEK CAPITAL LETTER SIGMA} camera",
        "service": "ivo://elsewhere/x",
        "service_title": "Archive & sons",
    }


def main() -> None:  # noqa: C901  one case after the other
    order = read_order(sys.stdin.readline())
    stopped = threading.Event()
    deaf = sys.argv[1] == "deaf"

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == STOP and not deaf:
                stopped.set()
        if not deaf:
            os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    say(now="Looking up services in the registry")
    say(log=f"radius {order.question.space[2] if order.question.space else None}")
    say(counts={"services": 3, "queried": 0, "failed": 0})
    match sys.argv[1]:
        case "quick":
            say(rows=[row(0), row(1)], extra=None)
            say(log="Obscore Archive & sons: 2 records")
            say(rows=[row(2)])
            say(counts={"services": 3, "queried": 3, "failed": 1})
            say(end="done")
        case "empty":
            say(end="done")
        case "many":
            for start in range(0, 50, 10):
                say(rows=[row(number) for number in range(start, start + 10)])
            say(end="done")
        case "slow" | "deaf":
            number = 0
            while not stopped.is_set():
                say(rows=[row(number)])
                say(log=f"line {number}")
                number += 1
                time.sleep(0.05)
            say(log="Cancelling queries")
            say(end="stopped")
        case "broken":
            write("no message")
            stopped.wait()
        case "crash":
            os._exit(3)


if __name__ == "__main__":
    main()
