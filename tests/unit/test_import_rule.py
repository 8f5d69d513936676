"""The import rule of docs/design.md: each layer may import what stands to its right, never its neighbours."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "vo"

# Left to right, as docs/design.md draws it; test_layers_are_the_documented_ones compares.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"app", "cli", "work"}),
    frozenset({"services"}),
    frozenset({"demo", "tap", "sia2", "datalink", "soda", "registry", "vosi", "web"}),
    frozenset({"context"}),
    frozenset({"ingest"}),
    frozenset({"adql", "uws", "obscore", "products", "uploads"}),
    frozenset({"pixels"}),
    frozenset({"dali", "tables", "db"}),
    frozenset({"metadata"}),
    frozenset({"settings", "errors", "ahead"}),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# `vo.cli` starts what `vo.app` and `vo.work` make: a comma joins them, not a bar.
JOINED = (("cli", "app"), ("cli", "work"))


@dataclass(frozen=True)
class Import:
    path: Path
    line: int
    module: str
    is_relative: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, source: str | None = None) -> Iterator[Import]:
    """Every import in the file, also those inside functions; `from a import b` counts as a.b."""
    for node in ast.walk(parsed(path) if source is None else ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name, is_relative=False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                yield Import(path, node.lineno, f"{module}.{alias.name}", is_relative=node.level > 0)


def unit(path: Path) -> str:
    """The layer's member that a file belongs to: vo/tap/sync.py -> tap, vo/app.py -> app."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def offences(found: Import) -> str | None:
    """What is wrong with an import, None when it obeys the rule."""
    if found.is_relative:
        return f"{found}: write absolute imports"
    parts = found.module.split(".")
    if parts[0] != "vo" or len(parts) < 2 or parts[1] == "__version__":
        return None
    here, there = unit(found.path), parts[1]
    if here == "__init__":
        return f"{found}: vo/__init__.py imports nothing of the package"
    if there not in RANK:
        return f"{found}: {there} has no place in the rule; add it to docs/design.md and here"
    if here == there or (here, there) in JOINED:
        return None
    return None if RANK[there] > RANK[here] else f"{found}: not to the right of {here}"


def test_every_module_obeys():
    wrong = [said for path in modules() for found in imports(path) if (said := offences(found))]
    assert not wrong, "\n".join(wrong)


def test_every_module_has_a_place():
    unknown = {unit(path) for path in modules()} - set(RANK) - {"__init__"}
    assert not unknown, f"no place in the rule: {sorted(unknown)}"


def test_layers_are_the_documented_ones():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    drawing = re.search(r"never its neighbours behind `\|`:\n\n((?:    .+\n)+)", text)
    assert drawing is not None, "docs/design.md no longer draws the import rule"
    layers = " ".join(drawing[1].split()).split(" -> ")
    assert tuple(frozenset(re.split(r" \| |, ", layer)) for layer in layers) == LAYERS


@pytest.mark.parametrize(
    ("place", "statement"),
    [
        ("tap/sync.py", "from vo.sia2 import query"),
        ("dali/routes.py", "from vo.tables.votable import Document"),
        ("adql/render.py", "import vo.tap"),
        ("errors.py", "from vo.settings import Settings"),
        ("tap/sync.py", "from . import capabilities"),
        ("app.py", "from vo.cli import main"),
        ("db/stream.py", "def f():\n    from vo.adql import tree"),
    ],
)
def test_the_rule_bites(place, statement):
    found = list(imports(PACKAGE / place, statement))
    assert any(offences(one) for one in found)


def _known_only_to(allowed: dict[str, str], *names: str) -> list[str]:
    """Imports of these modules outside the units and file names that may know them (name -> why)."""
    starts = tuple(f"{name}." for name in names)
    wrong: list[str] = []
    for path in modules():
        if unit(path) in allowed or path.name in allowed:
            continue
        wrong += [str(found) for found in imports(path) if f"{found.module}.".startswith(starts)]
    return wrong


def test_only_routes_and_app_know_the_web_server():
    allowed = {"routes.py": "turns requests into calls", "app.py": "wires and serves"}
    assert not _known_only_to(allowed, "starlette", "uvicorn")


def test_only_db_opens_connections():
    assert not _known_only_to({"db": "owns them"}, "psycopg_pool", "adbc_driver_manager", "adbc_driver_postgresql")
    # Others name psycopg's types and errors and compose SQL with it; none may connect.
    for path in modules():
        if unit(path) == "db":
            continue
        calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute) and node.attr == "connect"]
        names = [found for found in imports(path) if found.module.endswith(".connect") and "psycopg" in found.module]
        assert not calls, f"{path}:{calls[0].lineno} connects by itself"
        assert not names, str(names[0])


def test_only_pixels_opens_images():
    allowed = {"pixels": "opens them", "demo": "draws the plates it publishes"}
    assert not _known_only_to(allowed, "astropy.io.fits", "PIL")


def test_only_tables_writes_votable():
    assert not _known_only_to({"tables": "reads and writes them"}, "astropy.io.votable", "astropy.table")
    written = [path for path in modules() if unit(path) != "tables" and "<VOTABLE" in path.read_text(encoding="utf-8")]
    assert not written


def test_adql_and_pixels_know_neither_http_nor_the_database():
    foreign = re.compile(r"vo\.(db|dali\.routes)\b|psycopg|sqlalchemy|starlette|http\b|urllib\.request")
    for path in modules():
        if unit(path) not in ("adql", "pixels"):
            continue
        for found in imports(path):
            assert not foreign.match(found.module), str(found)


def test_every_import_can_be_seen():
    """Imports by name at run time would escape this test."""
    hidden = re.compile(r"\b__import__\(|importlib\.import_module\(")
    assert not [path for path in modules() if hidden.search(path.read_text(encoding="utf-8"))]
