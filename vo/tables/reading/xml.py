"""Expat for documents of strangers: no entities, no DTD but its name, nothing fetched, bounded depth and tags."""

from __future__ import annotations

from collections.abc import Callable
from xml.parsers import expat

from vo.errors import LimitFault, UsageFault

#: Deeper documents are no VOTables.
MOST_DEPTH = 64

#: A tag, with all its attributes, or a comment may take this many bytes: expat keeps it whole.
MOST_MARKUP = 1 << 20

#: Text comes in pieces of at most this size.
_TEXT_PIECE = 1 << 18


class Parser:
    """A document's elements as calls: ``start(name, attributes)``, ``end(name)``, names without namespace prefix.

    ``text`` receives character data while it is set. A DOCTYPE that names an external DTD is passed over, since
    documents of VOTable 1.0 have one; it is not fetched. One with declarations inside, and every entity but XML's five,
    is a UsageFault, as is anything that is not well-formed.
    """

    def __init__(self, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]) -> None:
        self._start = start
        self._end = end
        self._depth = 0
        self._fed = 0
        self._skipped_lines = 0
        self.encoding: str | None = None
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.buffer_size = _TEXT_PIECE
        self._expat.XmlDeclHandler = self._declaration
        self._expat.StartDoctypeDeclHandler = _refuse_declarations
        self._expat.EntityDeclHandler = _refuse_entity
        self._expat.SkippedEntityHandler = _refuse_unknown_entity
        self._expat.StartElementHandler = self._on_start
        self._expat.EndElementHandler = self._on_end

    def set_text(self, text: Callable[[str], None] | None) -> None:
        """Choose who receives character data from here on."""
        self._expat.CharacterDataHandler = text

    def feed(self, data: bytes) -> None:
        """Read on; calls come before this returns."""
        self._parse(data, is_final=False)
        self._fed += len(data)
        if self._fed - max(self._expat.CurrentByteIndex, 0) > MOST_MARKUP + len(data):
            raise LimitFault(f"a tag or comment of the document has more than {MOST_MARKUP} bytes, the limit")

    def close(self) -> None:
        """The document has ended."""
        self._parse(b"", is_final=True)

    def skip_lines(self, count: int) -> None:
        """Count lines that somebody else has read, for the places that faults tell."""
        self._skipped_lines += count

    def _parse(self, data: bytes, *, is_final: bool) -> None:
        try:
            self._expat.Parse(data, is_final)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]:
                what = "it ends too early"
            raise UsageFault(f"the XML is damaged at line {error.lineno + self._skipped_lines}: {what}") from error
        except (LookupError, ValueError) as error:
            raise UsageFault(f"the document's encoding {self.encoding!r} is not known here; use UTF-8") from error

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.encoding = encoding

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise LimitFault(f"the document's elements are nested deeper than {MOST_DEPTH}, the limit")
        self._start(name.rpartition(":")[2], attributes)

    def _on_end(self, name: str) -> None:
        self._depth -= 1
        self._end(name.rpartition(":")[2])


def _refuse_declarations(_name: str, _system: str | None, _public: str | None, has_subset: int) -> None:
    if has_subset:
        raise UsageFault("the document declares a DTD of its own, which is not read here; remove its DOCTYPE")


def _refuse_entity(*_declared: object) -> None:
    raise UsageFault("the document declares entities, which are not read here; write the characters themselves")


def _refuse_unknown_entity(name: str, _is_parameter: int) -> None:
    raise UsageFault(f"the document uses an entity &{name[:40]};, which is not known; write the characters themselves")
