-- Records of the registry: our own, which `vo publish` makes, and those that `vo harvest` brought from elsewhere. The schema rr
-- (RegTAP) is made from their documents; this one is not published.
CREATE SCHEMA IF NOT EXISTS registry;

CREATE TABLE IF NOT EXISTS registry.record (
    ivoid text PRIMARY KEY,              -- in lower case, as identifiers are compared (IVOA Identifiers 2.0, section 2.1)
    identifier text NOT NULL,            -- as it is written
    source text NOT NULL DEFAULT '',     -- '': made here; else the address of the registry that it was harvested from
    status text NOT NULL,
    created timestamp NOT NULL,          -- UTC, whole seconds, as all times here
    datestamp timestamp NOT NULL,        -- when it changed last (OAI-12)
    digest text NOT NULL,                -- of what it says, dates apart
    document text,                       -- one ri:Resource; null when deleted
    CONSTRAINT record_status CHECK (status IN ('active', 'inactive', 'deleted')),
    CONSTRAINT record_document CHECK ((document IS NULL) = (status = 'deleted'))
);
CREATE INDEX IF NOT EXISTS record_source ON registry.record (source, datestamp, ivoid);
