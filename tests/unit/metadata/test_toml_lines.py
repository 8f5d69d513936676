"""Every key that tomllib finds has a line, and the line names the key."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.metadata.toml_lines import find_line, key_lines

WHOLE = '''# a comment with a = 1
title = "x" # and b = 2
[fits.plate_id]
keywords = ["A",   # the first
  "B"]
"quoted.key" . 'and another' = { one = 1, two.three = [ { deep = true },
  { deep = false } ] }
[[templates]]
role = """
role = 5
[no.table] """"
date = 1979-05-27 07:32:00
[templates.more]
x = \'\'\'
y = 1\'\'\'\'
[[templates]]
role = 'no " quotes'
[[templates.inner]]
[fits]
'''


def test_a_file_of_everything():
    assert key_lines(WHOLE) == {
        ("title",): 2,
        ("fits",): 19,
        ("fits", "plate_id"): 3,
        ("fits", "plate_id", "keywords"): 4,
        ("fits", "plate_id", "keywords", 0): 4,
        ("fits", "plate_id", "keywords", 1): 5,
        ("fits", "plate_id", "quoted.key"): 6,
        ("fits", "plate_id", "quoted.key", "and another"): 6,
        ("fits", "plate_id", "quoted.key", "and another", "one"): 6,
        ("fits", "plate_id", "quoted.key", "and another", "two"): 6,
        ("fits", "plate_id", "quoted.key", "and another", "two", "three"): 6,
        ("fits", "plate_id", "quoted.key", "and another", "two", "three", 0): 6,
        ("fits", "plate_id", "quoted.key", "and another", "two", "three", 0, "deep"): 6,
        ("fits", "plate_id", "quoted.key", "and another", "two", "three", 1): 7,
        ("fits", "plate_id", "quoted.key", "and another", "two", "three", 1, "deep"): 7,
        ("templates",): 8,
        ("templates", 0): 8,
        ("templates", 0, "role"): 9,
        ("templates", 0, "date"): 12,
        ("templates", 0, "more"): 13,
        ("templates", 0, "more", "x"): 14,
        ("templates", 1): 16,
        ("templates", 1, "role"): 17,
        ("templates", 1, "inner"): 18,
        ("templates", 1, "inner", 0): 18,
    }


def test_the_nearest_line_around():
    lines = key_lines(WHOLE)
    assert find_line(lines, ("templates", 1, "content_type")) == 16
    assert find_line(lines, ("fits", "plate_id", "keywords", 1)) == 5
    assert find_line(lines, ("nowhere",)) == 0


# -- written at random: a tree, and many ways to write it

KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=5),
)
STRINGS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=12)
SCALARS = st.one_of(
    st.integers(-(2**60), 2**60),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    STRINGS,
    st.datetimes().map(lambda one: one.replace(microsecond=0)),
    st.dates(),
    st.times().map(lambda one: one.replace(microsecond=0)),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)


def quoted(text: str) -> str:
    """A basic string: what has to be escaped, as JSON does it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


class Writer:
    """Writes values as TOML in one of its many ways, as the draws say."""

    def __init__(self, draw):
        self.draw = draw

    def key(self, key: str) -> str:
        ways = [quoted(key)]
        if key and all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in key):
            ways.append(key)
        if "'" not in key:
            ways.append(f"'{key}'")
        return self.draw(st.sampled_from(ways))

    def blank(self) -> str:
        return self.draw(st.sampled_from(["", "", " ", "\t "]))

    def lines(self) -> str:
        return self.draw(st.sampled_from(["", " ", "\n", " # ] } , = [x]\n", "\r\n  "]))

    def string(self, text: str) -> str:
        escaped = quoted(text)
        ways = [escaped, f'""{escaped}""', f'"""\n{escaped[1:-1]}"""']
        ways.append('"""' + escaped[1:-1].replace("\\n", "\n").replace('\\"\\"', '\\""') + '"""')
        if "'" not in text and all(letter >= " " and letter != "\x7f" for letter in text):
            ways.append(f"'{text}'")
        if "'''" not in text and all(letter >= " " or letter in "\n\t" for letter in text) and "\x7f" not in text:
            ways.append("'''\n" + text + "'''")
        return self.draw(st.sampled_from(ways))

    def value(self, value: object) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, list):
            inner = [f"{self.lines()}{self.value(one)}{self.lines()}" for one in value]
            last = self.draw(st.sampled_from(["", ","])) if inner else ""
            return f"[{','.join(inner)}{last}{self.lines()}]"
        if isinstance(value, dict):
            return "{" + ",".join(f" {self.pair(key, one)} " for key, one in value.items()) + "}"
        if hasattr(value, "isoformat"):
            return value.isoformat(**({"sep": self.draw(st.sampled_from("T "))} if hasattr(value, "date") else {}))
        return repr(value)

    def pair(self, key: str, value: object) -> str:
        """A dotted key, where a table has one key alone."""
        if isinstance(value, dict) and len(value) == 1 and self.draw(st.booleans()):
            (inner,) = value.items()
            return f"{self.key(key)}{self.blank()}.{self.blank()}{self.pair(*inner)}"
        return f"{self.key(key)}{self.blank()}={self.blank()}{self.value(value)}"

    def table(self, table: dict) -> str:
        return "".join(
            f"{self.blank()}{self.pair(key, value)}{self.draw(st.sampled_from(['', ' # a = 1']))}\n"
            for key, value in table.items()
        )


@st.composite
def documents(draw):
    """A text of tables, arrays of tables and tables within these."""
    writer = Writer(draw)
    text = writer.table(draw(TABLES.filter(lambda one: not {"t", "u"} & one.keys())))
    for _ in range(draw(st.integers(0, 2))):
        text += f"[[{writer.blank()}t.{writer.blank()}v{writer.blank()}]] # [x]\n"
        text += writer.table(draw(TABLES.filter(lambda one: "w" not in one)))
        if draw(st.booleans()):
            text += "\n[t.v.w]\n" + writer.table(draw(TABLES))
    if draw(st.booleans()):
        text += f"[u.{writer.key('x y')}]\n" + writer.table(draw(TABLES))
    return text.rstrip("\n") if draw(st.booleans()) else text


def paths(value: object, path: tuple = ()):
    """Every key and element that tomllib finds."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, key)
        yield from paths(one, (*path, key))


@given(documents())
def test_every_key_has_a_line_that_names_it(text):
    values = tomllib.loads(text)
    lines = key_lines(text)
    assert set(lines) == set(paths(values))
    written = text.split("\n")
    for path, line in lines.items():
        if isinstance(path[-1], str):
            shown = (path[-1], quoted(path[-1])[1:-1])
            assert any(one in written[line - 1] for one in shown), (path, line)


@given(st.text("[]{}=.,#\"'\\\na 1-:", max_size=40))
def test_no_text_keeps_it_from_coming_to_an_end(text):
    assert all(1 <= line <= text.count("\n") + 1 for line in key_lines(text).values())


@pytest.mark.parametrize("text", ["", "\n", "# nothing"])
def test_a_file_without_keys(text):
    assert key_lines(text) == {}
