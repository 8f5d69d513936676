"""Queries and what they become, case by case; ``--update-golden`` writes the expectations anew."""

from __future__ import annotations

import pytest
from adql.fixtures import answer, answered, files, read, write


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_queries_become_what_the_fixtures_say(path, request):
    cases = list(read(path))
    assert cases
    if request.config.getoption("--update-golden", default=False):
        write(path, [answered(case) for case in cases])
        return
    for case in cases:
        assert answer(case.query) == case.expected, f"{path.name}: {case.title}"


def test_titles_are_unique():
    titles = [(case.file, case.title) for path in files() for case in read(path)]
    assert len(titles) == len(set(titles))
    assert len(titles) > 100
