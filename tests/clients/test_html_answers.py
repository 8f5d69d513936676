"""Answers for people (FORMAT=html) in a real browser: they are styled, and no script of a value's could run."""

from __future__ import annotations

import pytest
from browser import chromium

pytestmark = pytest.mark.timeout(240)

QUERY = "SELECT TOP 5 obs_id, s_ra, access_url FROM ivoa.obscore"


@pytest.fixture
def answer(server, tmp_path):
    """The page of an answer, saved as visitors do."""
    path = tmp_path / "answer.html"
    path.write_bytes(server.query(QUERY, FORMAT="html").content)
    return path


def test_a_page_is_styled_and_nothing_is_complained_of(answer):
    with chromium() as browser:
        page = browser.open(answer.as_uri())
        assert page.locator("tbody tr").count() == 5
        assert page.locator("tbody a").count() == 5
        heading = page.locator("thead th").first
        assert heading.evaluate("cell => getComputedStyle(cell).backgroundColor") == "rgb(238, 238, 238)"
    assert browser.said == []


def test_no_script_runs_even_if_one_stood_there(answer):
    """Every value is escaped, which other tests see to: this is what holds if one ever were not."""
    scripts = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
    answer.write_text(answer.read_text().replace("<tr><td>", f"<tr><td>{scripts}", 1))
    with chromium() as browser:
        page = browser.open(answer.as_uri())
        assert page.locator("tbody script").count() == 1
        assert page.title() == "Query result"
    assert any("Content Security Policy" in line for line in browser.said)
