from __future__ import annotations

from vo_models.vosi.capabilities.models import VOSICapabilities
from xsd import validate

from vo.dali.capability import capability


def test_a_capability_is_valid_and_complete_SIA_04():  # noqa: N802  the assertion's id
    sia = capability("ivo://ivoa.net/std/SIA#query-2.0", "http://127.0.0.1:8080/a/sia2/query", version="2.0")
    text = VOSICapabilities(capability=[sia]).to_xml(skip_empty=True)
    document = validate(text.encode() if isinstance(text, str) else text)
    assert document.find("capability").get("standardID") == "ivo://ivoa.net/std/SIA#query-2.0"
    interface = document.find("capability/interface")
    assert interface.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "vs:ParamHTTP"
    assert (interface.get("role"), interface.get("version")) == ("std", "2.0")
    assert interface.find("accessURL").text == "http://127.0.0.1:8080/a/sia2/query"
    assert interface.find("accessURL").get("use") == "full"
