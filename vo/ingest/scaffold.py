"""The folder of a new collection: files with what is known and comments on the rest, sound as they are written."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vo.errors import OperatorFault
from vo.ingest.likely import Likely, find_likely
from vo.ingest.survey import Survey, SurveyedColumn
from vo.metadata.collection import DESCRIPTOR, check_name
from vo.metadata.examples import FILE as EXAMPLES
from vo.metadata.mapping import MAPPING
from vo.metadata.words import is_regular

COLUMNS = "columns.yaml"
#: A number with a comma before its decimals, or between its thousands.
_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the curator says; empty where nothing is known. ``plate_scale`` in arcsec/mm, sizes in mm."""

    name: str
    title: str
    description: str
    creators: tuple[str, ...]
    facility: str = ""
    instrument: str = ""
    rights: str = ""
    plate_scale: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    survey: Survey | None = None
    own_columns: bool = True
    taken_columns: frozenset[str] = field(default=frozenset())


def write_folder(resources: Path, answers: Answers) -> tuple[Path, ...]:
    """Write ``resources/<name>``; the files written, collection.toml first.

    ``answers.taken_columns`` are the names that every collection's table has. :class:`OperatorFault` when the name
    cannot be one, the folder is there already (nothing is ever written over), or the resources are the package's own.
    """
    try:
        check_name(answers.name)
    except ValueError as error:
        raise OperatorFault(f"{answers.name!r}: {error}") from error
    if resources.parent.name == "_shipped":
        raise OperatorFault(
            f"{resources} belongs to the installed package, and goes with its next version: set VO_RESOURCES_DIR to a "
            "folder of your own"
        )
    folder = resources / answers.name
    texts = {DESCRIPTOR: _descriptor(answers), EXAMPLES: _examples(answers), "README.md": _readme(answers)}
    if answers.survey is not None:
        likely = find_likely(answers.survey)
        own = _own(likely.left, answers.taken_columns) if answers.own_columns else {}
        texts[MAPPING] = _mapping(answers.survey, likely, own)
        if own:
            texts[COLUMNS] = _columns(answers.name, own)
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise OperatorFault(f"{folder} is there already, and nothing is written over; choose another name") from error
    except OSError as error:
        raise OperatorFault(f"{folder} cannot be made: {error.strerror}") from error
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)


def _quoted(text: str) -> str:
    """A text as TOML and YAML write it alike."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False).replace("\x7f", "")


# ------------------------------------------------------------------------------------------------- files


def _descriptor(answers: Answers) -> str:
    lines = [
        "# What this collection is. All keys: docs/collection.md",
        f"name = {_quoted(answers.name)}  # the folder's name, and the schema of the tables",
        f"title = {_quoted(answers.title)}",
        f"description = {_quoted(answers.description)}",
        f"creators = [{', '.join(map(_quoted, answers.creators))}]",
        '# people may have an ORCID iD: creators = [{ name = "Family, G.", orcid = "0000-0002-1825-0097" }]',
        _line("rights", answers.rights, '"CC BY 4.0"'),
        '# rights_uri = "https://creativecommons.org/licenses/by/4.0/"',
        _line("facility_name", answers.facility, '"Skyview Observatory"'),
        _line("instrument_name", answers.instrument, '"40-cm astrograph"'),
        '# subjects = ["photographic-photometry", "sky-surveys"]  # concepts of the Unified Astronomy Thesaurus',
        '# contact = { name = "Plate vault", email = "vault@skyview.example" }',
        '# doi = "10.5281/zenodo.1234"',
        '# reference_url = "https://plates.skyview.example/"',
        "",
        "[footprint]  # what is known of every plate when its own record does not say it",
        _number("plate_scale", answers.plate_scale, "101.4", "arcsec/mm"),
        _number("width_mm", answers.width_mm, "160.0", "exposed glass"),
        _number("height_mm", answers.height_mm, "160.0", "like the width when not given"),
        "",
        "[defaults]  # for plates and exposures that do not say it themselves",
        "# em_min = 3.5e-7  # m, vacuum: blue-sensitive plates without filter",
        "# em_max = 5.0e-7",
    ]
    return "\n".join(lines) + "\n"


def _line(key: str, value: str, example: str) -> str:
    return f"{key} = {_quoted(value)}" if value.strip() else f"# {key} = {example}"


def _number(key: str, value: float | None, example: str, what: str) -> str:
    return f"# {key} = {example}  # {what}" if value is None else f"{key} = {value!r}  # {what}"


def _examples(answers: Answers) -> str:
    name = answers.name
    return f"""-- name: Plates of {name} that show a place
-- about: All exposures on plates of this collection, scanned or not, whose field has the place in it.
-- table: {name}.plates
SELECT plate_id, exposure_id, t_min, t_exptime, s_ra, s_dec
FROM {name}.plates
WHERE 1 = CONTAINS(POINT('ICRS', 83.82, -5.39), s_region)
ORDER BY t_min
"""


def _readme(answers: Answers) -> str:
    mapping = (
        f"- `{MAPPING}`: which column of the list holds what (docs/mapping.md)\n" if answers.survey is not None else ""
    )
    source = answers.survey.path.name if answers.survey is not None else "<sources>"
    return f"""# {" ".join(answers.title.split())}

- `{DESCRIPTOR}`: what the collection is (docs/collection.md)
{mapping}- `{EXAMPLES}`: example queries, which clients offer

    vo check {answers.name} {source}
    vo ingest {answers.name} {source}
    vo publish
"""


# ------------------------------------------------------------------------------------------------- mapping.toml


def _mapping(found: Survey, likely: Likely, own: Mapping[str, SurveyedColumn]) -> str:
    return "\n".join(_mapping_lines(found, likely, own)) + "\n"


def _mapping_lines(found: Survey, likely: Likely, own: Mapping[str, SurveyedColumn]) -> Iterator[str]:
    yield f"# How {found.path.name} is read. All keys: docs/mapping.md. What stands here was guessed from names and the"
    yield "# first values: look at each line, and at what `vo check` tells of the list."
    yield ""
    yield "[source]"
    yield f"format = {_quoted(found.format)}"
    if found.encoding != "utf-8":
        yield f"encoding = {_quoted(found.encoding)}"
    if found.delimiter is not None:
        yield f"delimiter = {_quoted(found.delimiter)}"
    if any(_COMMA.fullmatch(text) for one in found.columns for text in one.values):
        yield '# decimal = ","  # when 1,5 is one and a half'
    yield '# null = ["", "-", "unknown"]  # texts that mean nothing'
    if found.format == "fixed":
        yield ""
        yield "[columns]  # first and last character, counted from 1; guessed from blanks: part what runs together"
        for one in found.columns:
            yield f"{one.name} = {_quoted(one.place or '1')}{_sample(one)}"
    by_name = {one.name: one for one in found.columns}
    for section in ("plate", "exposure", "position", "time", "scan"):
        yield from _section(section, likely, by_name)
    if own:
        yield ""
        yield f"[own]  # columns of your own, described in {COLUMNS}"
        for name, one in own.items():
            yield f"{name} = {{ column = {_quoted(one.name)} }}{_sample(one)}"
    elif likely.left:
        yield ""
        yield f"# Columns that are not used: {', '.join(' '.join(one.name.split()) for one in likely.left)}"


def _section(section: str, likely: Likely, by_name: Mapping[str, SurveyedColumn]) -> Iterator[str]:
    keys = [key for key in likely.columns if key.startswith(f"{section}.")]
    if not keys:
        return
    yield ""
    yield f"[{section}]"
    for key in keys:
        column, unit = likely.columns[key], likely.settings.get(f"{key}.unit")
        rule = f"column = {_quoted(column)}" + (f", unit = {_quoted(str(unit))}" if unit is not None else "")
        yield f"{key.partition('.')[2]} = {{ {rule} }}{_sample(by_name[column])}"
    for key, value in likely.settings.items():
        if key.startswith(f"{section}.") and not key.endswith(".unit"):
            yield f"{key.partition('.')[2]} = {value if isinstance(value, int) else _quoted(value)}"
    if section == "time":
        yield '# system = "zone"  # when clocks show the time of a zone: UT when not given'
        yield "# zone = 1          # hours east of Greenwich"


def _sample(column: SurveyedColumn) -> str:
    """A comment with the first value, which says more than a name."""
    text = "".join(letter for letter in (column.values or ("",))[0] if letter.isprintable())[:30]
    return f"  # {text}" if text else ""


# ------------------------------------------------------------------------------------------------- columns.yaml


def _own(left: tuple[SurveyedColumn, ...], taken: frozenset[str]) -> dict[str, SurveyedColumn]:
    """Names for the columns that are left, which no other column of the table has."""
    found: dict[str, SurveyedColumn] = {}
    for one in left:
        letters = unicodedata.normalize("NFKD", one.name.lower()).encode("ascii", "ignore").decode()  # without accents
        plain = re.sub(r"[^a-z0-9]+", "_", letters).strip("_") or "column"
        name = plain if plain[0].isalpha() else f"c_{plain}"
        name = name.removesuffix("_text") or "c"
        if name in taken or name in found or not is_regular(name):
            name = f"list_{name}"
        number = 2
        while name in taken or name in found:
            name, number = f"{name.rstrip('0123456789_')}_{number}", number + 1
        found[name] = one
    return found


def _columns(collection: str, own: Mapping[str, SurveyedColumn]) -> str:
    lines = [
        "# Columns of your own (Felis, https://felis.lsst.io): describe each, with unit and UCD where it has one.",
        f"name: {collection}",
        "description: Columns of our own.",
        "tables:",
        "- name: plates",
        '  "@id": "#plates"',
        "  description: More about a plate, as its list has it.",
        "  columns:",
    ]
    for name, one in own.items():
        lines += [
            f"  - name: {name}",
            f'    "@id": "#plates.{name}"',
            f"    datatype: {'double' if one.is_number else 'text'}",
            f"    description: {_quoted(f'Column {one.name} of the list')}",
        ]
    return "\n".join(lines) + "\n"
