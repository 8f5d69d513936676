"""Golden files: what an answer was when someone looked at it; ``pytest --update-golden`` writes them anew."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def compare(name: str, text: str, *, update: bool) -> None:
    """Compare ``text`` with the golden file of this name, or write it when ``update`` says so."""
    path = FOLDER / name
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"no golden file {name}; look at the text and run with --update-golden\n{text}"
    assert text == path.read_text(encoding="utf-8"), f"not as in the golden file {name}"
