-- Every table that a TAP service can query, once for each service (RegTAP 1.2, section 8.18). A resource of its own with
-- an auxiliary TAP capability goes before the service's own list of tables, which says less.
SELECT DISTINCT ON (svcid, table_name) resid, svcid, table_name, table_title, table_description, table_utype
FROM (
    SELECT t.ivoid AS resid, r.related_id AS svcid, false AS is_service,
        t.table_name, t.table_title, t.table_description, t.table_utype, t.table_index
    FROM rr.res_table AS t
    JOIN rr.relationship AS r ON r.ivoid = t.ivoid AND r.relationship_type = 'isservedby'
    WHERE t.table_type IS DISTINCT FROM 'output'
        AND EXISTS (SELECT FROM rr.capability c WHERE c.ivoid = t.ivoid AND c.standard_id = 'ivo://ivoa.net/std/tap#aux')
        AND EXISTS (
            SELECT FROM rr.capability c WHERE c.ivoid = r.related_id AND c.standard_id = 'ivo://ivoa.net/std/tap')
    UNION ALL
    SELECT t.ivoid, t.ivoid, true,
        t.table_name, t.table_title, t.table_description, t.table_utype, t.table_index
    FROM rr.res_table AS t
    WHERE t.table_type IS DISTINCT FROM 'output'
        AND EXISTS (SELECT FROM rr.capability c WHERE c.ivoid = t.ivoid AND c.standard_id = 'ivo://ivoa.net/std/tap')
) AS found
ORDER BY svcid, table_name, is_service, resid, table_index
