-- Roles, pgSphere, the schema of what is neither published nor a record, and the range type of t_range.
-- Files below 100 run as the database's administrator before the tables are made; every file may run again.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['vo_owner', 'vo_service', 'vo_jobs', 'vo_query'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
        IF wanted <> 'vo_query' AND NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        END IF;
    END LOOP;
    EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO vo_owner', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO vo_service, vo_jobs, vo_query', current_database());
END $$;

CREATE EXTENSION IF NOT EXISTS pg_sphere SCHEMA public;
GRANT USAGE ON SCHEMA public TO vo_owner, vo_service, vo_query;

CREATE SCHEMA IF NOT EXISTS vo AUTHORIZATION vo_owner;

DO $$
BEGIN
    IF to_regtype('vo.mjd_range') IS NULL THEN
        -- float8 has no range type of its own; subtype_diff lets GiST split well
        CREATE TYPE vo.mjd_range AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
        ALTER TYPE vo.mjd_range OWNER TO vo_owner;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS vo.applied (
    name text PRIMARY KEY,
    digest text NOT NULL,
    applied timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE vo.applied OWNER TO vo_owner;
COMMENT ON TABLE vo.applied IS 'What has been made here (SQL files, tables, views), with the digest of its definition';

CREATE TABLE IF NOT EXISTS vo.collection (
    name text PRIMARY KEY
);
ALTER TABLE vo.collection OWNER TO vo_owner;
COMMENT ON TABLE vo.collection IS 'The collections this database has been initialised with';
