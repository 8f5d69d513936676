-- Users' queries are made from ADQL, whose functions we choose. Should that ever fail, nothing that waits, locks, writes
-- large objects, ends other sessions, changes the session or runs a text as SQL is there for the query role.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT oid::regprocedure AS called FROM pg_proc
        WHERE (pronamespace = 'pg_catalog'::regnamespace AND (
                proname ~ '^(lo_|pg_sleep|pg_advisory_|pg_try_advisory_|pg_logical_|pg_create_|pg_drop_|pg_copy_)'
                OR proname ~ '^(query|cursor|table|schema|database)_to_xml'
                OR proname IN ('loread', 'lowrite', 'set_config', 'setseed', 'pg_notify', 'pg_cancel_backend',
                    'pg_terminate_backend', 'pg_export_snapshot', 'pg_stat_get_activity', 'ts_stat', 'ts_rewrite',
                    'pg_rotate_logfile_old', 'pg_read_file_old', 'pg_import_system_collations',
                    'pg_replication_slot_advance', 'nextval', 'setval')))
           OR (pronamespace = 'public'::regnamespace AND proname ~ '^set_s(phere|moc)_output')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, vo_query', one.called);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO vo_owner, vo_service, vo_jobs', one.called);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the query role keeps functions it does not need (%): run schema/sql/020_functions.sql as a superuser once',
        SQLERRM;
END $$;
