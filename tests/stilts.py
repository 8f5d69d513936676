"""STILTS: a client and validator that shares no code with ours. Tests that run it are skipped where it is missing."""

from __future__ import annotations

import re
import shutil
import subprocess

import needs


def run(*words: str, data: bytes | None = None, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run a task, to which ``data`` is given; with ``check`` it has to succeed."""
    if shutil.which("stilts") is None:
        needs.missing("stilts is missing (Debian's package stilts)")
    done = subprocess.run(["stilts", *words], input=data, capture_output=True, check=False)
    assert done.returncode == 0 or not check, done.stderr.decode()
    return done


def taplint(url: str, stages: str, *words: str) -> list[str]:
    """The warnings of its validator of TAP for the service of a server, which must have neither errors nor failures."""
    done = run("taplint", f"tapurl={url}/tap", f"stages={stages}", *words, check=False)
    said = done.stdout.decode()
    totals = re.search(r"#?\s*Totals: (.*)", said)
    assert totals, f"no summary\n{said}\n{done.stderr.decode()}"
    counts = {name: int(number) for name, number in re.findall(r"(\w+): (\d+)", totals[1])}
    complaints = [line for line in said.splitlines() if re.match(r"[EFW]-", line)]
    assert (counts["Errors"], counts["Failures"]) == (0, 0), "\n".join(complaints)
    assert bool(counts["Warnings"]) == bool(complaints), said
    return complaints
