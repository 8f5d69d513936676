"""What all pages for people share: their templates, and what a browser may do on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

import vo
from vo.dali.faults import FaultStyle
from vo.settings import Settings

HERE = Path(__file__).parent

_PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

# Pages load nothing from elsewhere; files may be pictures behind a redirect to where they are kept.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' https: data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

#: Headers of a page.
HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}


def scripted(*elsewhere: str) -> dict[str, str]:
    """Headers of a page with scripts: files of ours, no script stands in a page.

    They may ask this server, and the addresses ``elsewhere``.
    """
    asked = " ".join(("'self'", *elsewhere))
    return {**HEADERS, "Content-Security-Policy": f"{_POLICY}; script-src 'self'; connect-src {asked}"}


def render(settings: Settings, base: str, template: str, **values: Any) -> str:
    """A page; ``base`` is the address of this server that its links begin with."""
    return _PAGES.get_template(template).render(
        base=base, publisher=settings.publisher, contact=settings.contact, version=vo.__version__, **values
    )


def fault_style(settings: Settings, base: str) -> FaultStyle:
    """How faults look to people who came for a page."""

    def document(message: str) -> bytes:
        return render(settings, base, "fault.html", heading=message[:1].upper() + message[1:]).encode()

    return FaultStyle("text/html; charset=utf-8", lambda fault: fault.text, document)
