"""The columns of a {links} answer (DataLink 1.1, section 3.2 and 3.3)."""

from __future__ import annotations

from vo.metadata.fields import Field

FIELDS: tuple[Field, ...] = (
    Field("ID", "char", "*", ucd="meta.id;meta.main", description="Publisher dataset identifier, as asked"),
    Field("access_url", "char", "*", ucd="meta.ref.url", description="Address of the data"),
    Field("service_def", "char", "*", ucd="meta.ref", description="ID of the service descriptor in this document"),
    Field("error_message", "char", "*", ucd="meta.code.error", description="Why there is no link"),
    Field("description", "char", "*", ucd="meta.note", description="What is behind the link"),
    Field("semantics", "char", "*", ucd="meta.code", description="Relation to the dataset (vocabulary datalink/core)"),
    Field("content_type", "char", "*", ucd="meta.code.mime", description="Media type of what the link gives"),
    Field("content_length", "long", unit="byte", ucd="phys.size;meta.file", description="Size of what the link gives"),
    Field("content_qualifier", "char", "*", description="Nature of the data (vocabulary product-type)"),
    Field(
        "local_semantics", "char", "*", ucd="meta.id.assoc", description="Kind of link, the same for every dataset here"
    ),
    Field("link_auth", "char", "*", ucd="meta.code", description="Whether the link asks for authentication"),
    Field("link_authorized", "boolean", ucd="meta.code", description="Whether you may follow the link now"),
)
