-- Who may do what, all in one place. Runs last, as the administrator, at every initialisation.
-- vo_query (users' queries) reads what TAP_SCHEMA lists and nothing else; vo_service (the server's own reads) reads all but
-- jobs; vo_jobs reads and writes jobs and their queue, and nothing else.
DO $$
DECLARE
    one record;
BEGIN
    EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    -- for uploads, which live in temporary tables of the session that queries them
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO vo_query', current_database());
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;

    -- Every schema of ours, also one that is published no more.
    FOR one IN SELECT nspname AS name, nspname IN (SELECT schema_name FROM tap_schema.schemas) AS published
               FROM pg_namespace WHERE nspowner = 'vo_owner'::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC, vo_query', one.name);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM PUBLIC, vo_query', one.name);
        IF one.name IN ('uws', 'queue') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO vo_jobs', one.name);
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO vo_jobs', one.name);
            EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO vo_jobs', one.name);
            CONTINUE;
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO vo_service', one.name);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO vo_service', one.name);
        IF one.published THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO vo_query', one.name);
        END IF;
    END LOOP;
    GRANT USAGE ON SCHEMA vo TO vo_query;  -- for the range type

    -- Column by column: an unpublished column of a published table stays unread. A shape's text form (<name>_text) and
    -- t_range go with the published ones, as queries are rendered with them.
    FOR one IN
        SELECT t.table_name AS name, string_agg(quote_ident(a.attname), ', ') AS columns
        FROM tap_schema.tables t
        JOIN pg_attribute a ON a.attrelid = t.table_name::regclass AND a.attnum > 0 AND NOT a.attisdropped
        WHERE a.attname = 't_range' OR EXISTS (
            SELECT FROM tap_schema.columns c
            WHERE c.table_name = t.table_name
              AND (trim('"' FROM c.column_name) = a.attname OR c.column_name || '_text' = a.attname))
        GROUP BY t.table_name
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON %s TO vo_query', one.columns, one.name::regclass);
    END LOOP;
END $$;

ALTER ROLE vo_query SET default_transaction_read_only = on;
ALTER ROLE vo_query SET statement_timeout = '60s';
ALTER ROLE vo_query SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE vo_query SET search_path = public, pg_temp;
ALTER ROLE vo_query SET timezone = 'UTC';
ALTER ROLE vo_service SET default_transaction_read_only = on;

-- Sorts and joins that do not fit memory go to disk: no query may fill it.
DO $$
BEGIN
    ALTER ROLE vo_query SET temp_file_limit = '20GB';
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'users'' queries may fill the disk (%): set temp_file_limit as a superuser for the role of VO_QUERY_DSN',
        SQLERRM;
END $$;
