-- pgSphere 1.2 leaves its functions parallel-unsafe and gives them the cost of an addition, and its operators a
-- selectivity of 0.001. A polygon's test takes 10 us and more, and a point lies in about 1 of 200 wide-field plates: the
-- planner needs to know, or it tests polygons row by row before it looks at cheap conditions.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT p.oid::regprocedure AS called, p.proname ~ '^(spoly|spath)_' OR p.proname ~ '_(polygon|poly|path)(_|$)' AS slow
        FROM pg_proc p
        JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_sphere'
        WHERE p.prokind = 'f' AND p.provolatile = 'i' AND (p.proparallel <> 's' OR p.procost = 1)
    LOOP
        EXECUTE format('ALTER FUNCTION %s PARALLEL SAFE COST %s', one.called, CASE WHEN one.slow THEN 200 ELSE 5 END);
    END LOOP;
    -- those of points and cells in MOCs are volatile by an oversight: no plan with them could be parallel
    FOR one IN
        SELECT p.oid::regprocedure AS called
        FROM pg_proc p
        JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_sphere'
        WHERE p.provolatile = 'v' AND p.proname ~ '(subset|superset)_(smoc|spoint|healpix)$'
    LOOP
        EXECUTE format('ALTER FUNCTION %s IMMUTABLE PARALLEL SAFE COST 5', one.called);
    END LOOP;
    FOR one IN
        SELECT o.oid::regoperator AS called
        FROM pg_operator o
        JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_sphere'
        WHERE o.oprrest = 'contsel'::regproc AND o.oprname IN ('<@', '@>', '&&') AND 'spoly'::regtype IN (o.oprleft, o.oprright)
    LOOP
        EXECUTE format('ALTER OPERATOR %s SET (RESTRICT = areasel, JOIN = areajoinsel)', one.called);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'pgSphere keeps its poor planner hints (%): run schema/sql/010_pgsphere.sql as a superuser once', SQLERRM;
END $$;
