"""STILTS's TAP validator against the live server: no errors, no failures."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

# The stages of what is served; uploads, asynchronous jobs and examples have none yet.
STAGES = "TMV TME TMS TMC CPV CAP QGE QPO MDQ OBS"


@pytest.mark.timeout(600)
def test_taplint(server):
    if shutil.which("stilts") is None:
        pytest.skip("stilts missing: install Debian's package stilts to run its validators")
    command = ["stilts", "taplint", f"tapurl={server.url}/tap", f"stages={STAGES}", "maxtable=20"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    totals = re.search(r"#?\s*Totals: (.*)", run.stdout)
    assert totals, f"no summary\n{run.stdout}\n{run.stderr}"
    counts = {name: int(number) for name, number in re.findall(r"(\w+): (\d+)", totals[1])}
    complaints = "\n".join(line for line in run.stdout.splitlines() if re.match(r"[EF]-", line))
    assert counts["Errors"] == 0, complaints
    assert counts["Failures"] == 0, complaints
