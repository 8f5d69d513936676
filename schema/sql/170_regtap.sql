-- What the schema rr (RegTAP) needs beside its tables.

-- The details by which TAP services say that they have the data model ObsCore, of all records. One of them is in
-- rr.res_detail as long as no record describes the table itself (utype ivo://ivoa.net/std/obscore#table-1.x) and is served
-- by the service, or has its address: clients find that record, whose coverage says whether to ask at all, and pyVO's
-- global discovery breaks off when it finds both.
CREATE TABLE IF NOT EXISTS registry.obscore_model (
    ivoid text NOT NULL,
    cap_index integer NOT NULL,
    detail_value text NOT NULL
);
CREATE INDEX IF NOT EXISTS obscore_model_ivoid ON registry.obscore_model (ivoid);

-- ivoids are those of the records whose rows are new or gone; what holds for the others may have changed with them.
CREATE OR REPLACE FUNCTION registry.settle_obscore_models(ivoids text[]) RETURNS void
LANGUAGE sql AS $$
    DELETE FROM registry.obscore_model WHERE ivoid = ANY (ivoids);

    INSERT INTO registry.obscore_model
    SELECT ivoid, cap_index, detail_value FROM rr.res_detail
    WHERE ivoid = ANY (ivoids) AND detail_xpath = '/capability/dataModel/@ivo-id'
        AND cap_index IS NOT NULL AND detail_value ILIKE 'ivo://ivoa.net/std/obscore%';

    DELETE FROM rr.res_detail d USING registry.obscore_model m
    WHERE d.ivoid = m.ivoid AND d.cap_index = m.cap_index AND d.detail_value = m.detail_value
        AND d.detail_xpath = '/capability/dataModel/@ivo-id';

    WITH described AS (
        SELECT ivoid FROM rr.res_table JOIN rr.resource USING (ivoid)
        WHERE table_utype LIKE 'ivo://ivoa.net/std/obscore#table-1.%' AND res_type = 'vs:catalogresource'
    ), served AS (
        SELECT r.related_id AS ivoid FROM rr.relationship r JOIN described USING (ivoid)
        WHERE r.relationship_type = 'isservedby'
        UNION
        SELECT service.ivoid FROM rr.interface own JOIN described USING (ivoid)
        JOIN rr.interface service ON service.access_url = own.access_url
    )
    INSERT INTO rr.res_detail (ivoid, cap_index, detail_xpath, detail_value)
    SELECT ivoid, cap_index, '/capability/dataModel/@ivo-id', detail_value FROM registry.obscore_model
    WHERE ivoid NOT IN (SELECT ivoid FROM served WHERE ivoid IS NOT NULL);
$$;
COMMENT ON FUNCTION registry.settle_obscore_models(text[]) IS 'Leaves out of rr.res_detail what doubles a record of the table';
REVOKE EXECUTE ON FUNCTION registry.settle_obscore_models(text[]) FROM PUBLIC;
