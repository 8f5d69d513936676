-- MOCs of shapes (MOC 2.0). pgSphere 1.2 makes them with HEALPix' inclusive queries, which cover all of the shape and a few
-- cells beside it, but it takes convex polygons without straight corners only, cannot be interrupted, and knows no limit.
-- A wrong argument has a SQLSTATE of our own, whose words are in vo/db/faults.py; the numbers are those of vo/adql/moc.py.

CREATE OR REPLACE FUNCTION vo.moc_order(wanted integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF wanted NOT BETWEEN 0 AND 29 THEN
        RAISE EXCEPTION 'a MOC has no order %', wanted USING ERRCODE = 'VO011';
    END IF;
    RETURN wanted;
END $$;
COMMENT ON FUNCTION vo.moc_order(integer) IS 'The order when it is one of a MOC';

-- A cell of order k is about sqrt(pi/3)/2^k radians wide; edge is the length of a shape's outline in radians.
CREATE OR REPLACE FUNCTION vo.moc_order(wanted integer, edge float8) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF edge * power(2, vo.moc_order(wanted)) > 200000 * 1.0233267079464885 THEN
        RAISE EXCEPTION 'a MOC of order % of an outline of % radians has too many cells', wanted, edge
            USING ERRCODE = 'VO012';
    END IF;
    RETURN wanted;
END $$;
COMMENT ON FUNCTION vo.moc_order(integer, float8) IS 'The order when a shape with such an outline has not too many cells of it';

-- The order at which about 200 to 400 cells lie along an outline.
CREATE OR REPLACE FUNCTION vo.moc_order_of(edge float8) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT least(29, greatest(0, ceil(log(2::numeric, (200 * 1.0233267079464885 / greatest(edge, 1e-9))::numeric))))::integer
$$;
COMMENT ON FUNCTION vo.moc_order_of(float8) IS 'The order of the MOC that stands for a shape with such an outline (radians)';

-- How far from its centre a cell of an order can reach, radians (HEALPix' own bound: Gorski et al. 2005, ApJ 622, 759,
-- equations 4 to 10 give the corners of the cell that reaches farthest).
CREATE OR REPLACE FUNCTION vo.cell_reach(level integer) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT spoint(pi() / (4 * 2.0::float8 ^ level), asin(2.0::float8 / 3))
        <-> spoint(0, asin(1 - (1 - 1 / 2.0::float8 ^ level) ^ 2 / 3))
$$;
COMMENT ON FUNCTION vo.cell_reach(integer) IS 'How far from its centre a HEALPix cell of an order can reach, radians';

-- All within a radius, in radians, of a place, also of more than a hemisphere: smoc_disc() of pgSphere 1.2 leaves out
-- cells of such. Cells that the edge may cross are divided again and again, down to the order.
CREATE OR REPLACE FUNCTION vo.moc_of_cone(wanted integer, lon float8, lat float8, radius float8) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100000 AS $$
    WITH RECURSIVE levels AS (
        SELECT level, vo.cell_reach(level) + 1e-8 AS reach
        FROM generate_series(0, vo.moc_order(wanted, 2 * pi() * sin(radius))) AS level
    ), cells AS (
        SELECT 0 AS level, index AS index, center_of_healpix_nest(0, index) <-> spoint(lon, lat) AS apart, reach
        FROM generate_series(0::bigint, 11) AS index, levels WHERE level = 0
        UNION ALL
        SELECT l.level, c.index * 4 + part, center_of_healpix_nest(l.level, c.index * 4 + part) <-> spoint(lon, lat),
            l.reach
        FROM cells AS c JOIN levels AS l ON l.level = c.level + 1, generate_series(0::bigint, 3) AS part
        WHERE c.apart > radius - c.reach AND c.apart <= radius + c.reach
    ), chosen AS (
        SELECT level, index FROM cells
        WHERE apart <= radius - reach OR (level = wanted AND apart <= radius + reach)
    ), orders AS (
        SELECT level, level || '/' || string_agg(index::text, ' ') AS part FROM chosen GROUP BY level
    )
    SELECT (string_agg(part, ' ' ORDER BY level) || ' ' || wanted || '/')::smoc FROM orders
$$;
COMMENT ON FUNCTION vo.moc_of_cone(integer, float8, float8, float8) IS 'Cells of an order that touch a circle of any size; radians';

CREATE OR REPLACE FUNCTION vo.moc(wanted integer, shape spoint) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 20 AS $$
    SELECT public.smoc(vo.moc_order(wanted), shape)
$$;
COMMENT ON FUNCTION vo.moc(integer, spoint) IS 'The cell of an order that holds a point';

CREATE OR REPLACE FUNCTION vo.moc(wanted integer, shape scircle) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 2000 AS $$
    SELECT public.smoc(vo.moc_order(wanted, 2 * pi() * sin(public.radius(shape))), shape)
$$;
COMMENT ON FUNCTION vo.moc(integer, scircle) IS 'Cells of an order that touch a circle';

-- Six times the volume that three unit vectors span: positive when c lies to the left of the arc from a to b. v has the
-- vectors one after the other, a, b and c count them from 1.
CREATE OR REPLACE FUNCTION vo.triple(v float8[], a integer, b integer, c integer) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (v[3*a-1] * v[3*b] - v[3*a] * v[3*b-1]) * v[3*c-2]
        + (v[3*a] * v[3*b-2] - v[3*a-2] * v[3*b]) * v[3*c-1]
        + (v[3*a-2] * v[3*b-1] - v[3*a-1] * v[3*b-2]) * v[3*c]
$$;

-- The height of c over the great circle through a and b, radians (small angles).
CREATE OR REPLACE FUNCTION vo.height(v float8[], a integer, b integer, c integer) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT vo.triple(v, a, b, c) / nullif(sqrt(power(v[3*a-1] * v[3*b] - v[3*a] * v[3*b-1], 2)
        + power(v[3*a] * v[3*b-2] - v[3*a-2] * v[3*b], 2) + power(v[3*a-2] * v[3*b-1] - v[3*a-1] * v[3*b-2], 2)), 0)
$$;

-- Convex polygons as they are; others in triangles, by cutting off ears (Meisters 1975, Am. Math. Mon. 82, 648). A polygon
-- fits a hemisphere, so being left of an arc means the same as in the plane. HEALPix refuses a corner that lies within
-- 1e-10 radians of an edge, and pgSphere takes points within 1e-9 for one: of thinner triangles the corners are enough.
CREATE OR REPLACE FUNCTION vo.moc(wanted integer, shape spoly) RETURNS smoc
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 5000 AS $$
DECLARE
    thin CONSTANT float8 := 2e-9;
    level integer := vo.moc_order(wanted, public.circum(shape));
    place float8[] := string_to_array(translate(shape::text, '{}() ', ''), ',')::float8[];
    n integer := cardinality(place) / 2;
    v float8[];
    ring integer[];
    middle float8[] := ARRAY[0, 0, 0];
    sense float8 := 0;
    convex boolean := true;
    tried integer := 0;
    a integer;
    b integer;
    c integer;
    other integer;
    is_ear boolean;
    piece smoc;
    total smoc;
BEGIN
    FOR i IN 1..n LOOP
        v := v || ARRAY[cos(place[2*i]) * cos(place[2*i-1]), cos(place[2*i]) * sin(place[2*i-1]), sin(place[2*i])];
        middle := ARRAY[middle[1] + v[3*i-2], middle[2] + v[3*i-1], middle[3] + v[3*i]];
        ring := ring || i;
    END LOOP;
    v := v || middle;
    FOR i IN 1..n LOOP
        sense := sense + vo.triple(v, i, i % n + 1, n + 1);
    END LOOP;
    IF sense < 0 THEN
        SELECT array_agg(i ORDER BY i DESC) INTO ring FROM unnest(ring) AS i;
    END IF;
    FOR i IN 1..n LOOP
        convex := convex AND vo.height(v, ring[i], ring[i % n + 1], ring[(i + 1) % n + 1]) > thin;
    END LOOP;
    IF convex THEN
        RETURN public.smoc(level, shape);
    END IF;
    WHILE n >= 3 LOOP
        a := ring[1]; b := ring[2]; c := ring[3];
        -- after a whole turn without an ear, which rounding alone can cause, one is cut off all the same
        is_ear := n = 3 OR tried > n OR vo.triple(v, a, b, c) >= 0;
        IF is_ear AND n > 3 AND tried <= n THEN
            FOREACH other IN ARRAY ring[4:] LOOP
                IF vo.triple(v, a, b, other) >= 0 AND vo.triple(v, b, c, other) >= 0 AND vo.triple(v, c, a, other) >= 0 THEN
                    is_ear := false;
                    EXIT;
                END IF;
            END LOOP;
        END IF;
        IF NOT is_ear THEN
            ring := ring[2:] || a;
            tried := tried + 1;
            CONTINUE;
        END IF;
        IF least(vo.height(v, a, b, c), vo.height(v, b, c, a), vo.height(v, c, a, b)) > thin THEN
            piece := public.smoc(level, format('{(%s,%s),(%s,%s),(%s,%s)}', place[2*a-1], place[2*a],
                place[2*b-1], place[2*b], place[2*c-1], place[2*c])::public.spoly);
        ELSE
            piece := public.smoc(level, public.spoint(place[2*a-1], place[2*a]))
                OPERATOR(public.|) public.smoc(level, public.spoint(place[2*b-1], place[2*b]))
                OPERATOR(public.|) public.smoc(level, public.spoint(place[2*c-1], place[2*c]));
        END IF;
        total := coalesce(total OPERATOR(public.|) piece, piece);
        -- b goes, and the next ear is looked for from c on: triangles of a fan would all be thin
        ring := ring[3:] || a;
        n := n - 1;
        tried := 0;
    END LOOP;
    RETURN total;
END $$;
COMMENT ON FUNCTION vo.moc(integer, spoly) IS 'Cells of an order that touch a polygon';

-- What stands for a shape beside a MOC.
CREATE OR REPLACE FUNCTION vo.moc(shape scircle) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 2000 AS $$
    SELECT vo.moc(vo.moc_order_of(2 * pi() * sin(public.radius(shape))), shape)
$$;
CREATE OR REPLACE FUNCTION vo.moc(shape spoly) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5000 AS $$
    SELECT vo.moc(vo.moc_order_of(public.circum(shape)), shape)
$$;
COMMENT ON FUNCTION vo.moc(scircle) IS 'Cells that touch a circle, about 200 to 400 of them along its edge';
COMMENT ON FUNCTION vo.moc(spoly) IS 'Cells that touch a polygon, about 200 to 400 of them along its edge';

GRANT EXECUTE ON FUNCTION vo.moc_order(integer), vo.moc_order(integer, float8), vo.moc_order_of(float8),
    vo.cell_reach(integer), vo.moc_of_cone(integer, float8, float8, float8), vo.moc(integer, spoint), vo.moc(integer, scircle),
    vo.moc(integer, spoly), vo.moc(scircle), vo.moc(spoly), vo.triple(float8[], integer, integer, integer),
    vo.height(float8[], integer, integer, integer) TO vo_query, vo_service;
