"""What resources can do and where: capabilities, interfaces, their parameters, validation (RegTAP 1.2, 8.4 to 8.11)."""

from __future__ import annotations

import re

from vo.registry.regtap.node import Node, flag, joined, lower
from vo.registry.regtap.sheet import Sheet, Value


def add_capabilities(sheet: Sheet, root: Node) -> None:
    """Capabilities are counted within the resource, and so are interfaces, whatever their capability."""
    _add_validation(sheet, root, None)
    intf_index = 0
    for cap_index, capability in enumerate(root.all("capability"), 1):
        sheet.add(
            "capability",
            cap_index=cap_index,
            cap_type=capability.type,
            cap_description=capability.text("description"),
            standard_id=lower(capability.attribute("standardID")),
        )
        _add_validation(sheet, capability, cap_index)
        for interface in capability.all("interface"):
            intf_index += 1
            _add_interface(sheet, interface, cap_index, intf_index)


def _add_interface(sheet: Sheet, interface: Node, cap_index: int, intf_index: int) -> None:
    address = interface.one("accessURL")
    sheet.add(
        "interface",
        cap_index=cap_index,
        intf_index=intf_index,
        intf_type=interface.type,
        intf_role=lower(interface.attribute("role")),
        std_version=lower(interface.attribute("version")),
        query_type=lower(joined(interface.texts("queryType"))),
        result_type=lower(interface.text("resultType")),
        wsdl_url=interface.text("wsdlURL"),
        url_use=None if address is None else lower(address.attribute("use")),
        access_url=None if address is None else address.own_text,
        mirror_url=joined(interface.texts("mirrorURL")),
        authenticated_only=_needs_login(interface),
    )
    for parameter in interface.all("param"):
        sheet.add(
            "intf_param",
            intf_index=intf_index,
            **describe(parameter),
            param_use=lower(parameter.attribute("use")),
            param_description=parameter.text("description"),
        )


def _needs_login(interface: Node) -> int:
    """Whether every way in has a method of authentication; one without a standardID is open to anybody."""
    methods = interface.all("securityMethod")
    return int(bool(methods) and all(method.attribute("standardID") is not None for method in methods))


def describe(node: Node) -> dict[str, Value]:
    """What columns and parameters have in common (RegTAP 1.2, section 8.7)."""
    datatype = node.one("dataType")
    inner = datatype.attribute if datatype is not None else _none
    return {
        "name": lower(node.text("name")),
        "ucd": lower(node.text("ucd")),
        "unit": node.text("unit"),
        "utype": lower(node.text("utype")),
        "std": flag(node.attribute("std")),
        "datatype": None if datatype is None else lower(datatype.own_text),
        "extended_schema": inner("extendedSchema"),
        "extended_type": inner("extendedType"),
        "arraysize": inner("arraysize"),
        "delim": inner("delim"),
    }


def _none(_name: str) -> None:
    return None


def _add_validation(sheet: Sheet, node: Node, cap_index: int | None) -> None:
    for level in node.all("validationLevel"):
        text = level.own_text or ""
        if re.fullmatch(r"[0-9]{1,4}", text) is None:
            sheet.tell(f"the validationLevel {text[:80]!r} is no number")
            continue
        sheet.add(
            "validation", validated_by=lower(level.attribute("validatedBy")), val_level=int(text), cap_index=cap_index
        )
