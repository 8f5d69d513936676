"""Which line of a YAML file a thing stands on: YAML's own composer tells where its nodes begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vo.metadata.mistakes import Mistake, MistakesFault


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A YAML file: its values, and the nodes that they were made of."""

    path: Path
    values: Any
    root: yaml.Node | None

    def line(self, loc: Sequence[int | str]) -> int:
        """The line of a key or an element, or of the nearest thing around it; 0 when only the whole file has one."""
        line, node = 0, self.root
        for part in loc:
            found = _inside(node, part)
            if found is None:
                break
            mark, node = found
            line = mark.start_mark.line + 1
        return line

    def mistake(self, loc: Sequence[int | str], key: str, text: str, advice: str = "") -> Mistake:
        """A mistake at a place; ``key`` is what the place is called."""
        return Mistake(self.path, self.line(loc), key, text, advice)


def read_yaml(path: Path) -> YamlFile:
    """Read a file; :class:`MistakesFault` names the line where it stops to be YAML."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise MistakesFault([Mistake(path, 0, "", f"cannot be read: {error.strerror}")]) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return YamlFile(path, yaml.safe_load(text), root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        said = ", ".join(one for one in (error.context, error.problem) if one)
        advice = _ADVICE.get(error.problem or "", "")
        raise MistakesFault([Mistake(path, line, "", f"is not YAML: {said}", advice)]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise MistakesFault([Mistake(path, 0, "", f"is not YAML: {error}")]) from error


#: What the parser says in the end, and what a curator may do about it.
_ADVICE = {
    "mapping values are not allowed here": "a text with a colon in it stands in quotation marks",
    "found character '\\t' that cannot start any token": "use blanks, not tabs",
    "found character '@' that cannot start any token": 'write "@id" in quotation marks',
}


def _inside(node: yaml.Node | None, part: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """What tells the place of a part, and the part's own node."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        element: yaml.Node = node.value[part]
        return element, element
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), None)
    return None
