-- CAST of texts to shapes, and the shapes of uploaded tables: DALI's numbers in degrees (DALI 1.1, section 3.3.5 to 3.3.7).
-- pgSphere's own readers take no exponents with degrees, and their errors pass for a broken server.

CREATE OR REPLACE FUNCTION vo.numbers_of_text(written text) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 50 AS $$
DECLARE
    numbers float8[] := regexp_split_to_array(trim(BOTH E' \t\r\n' FROM written), '\s+')::float8[];
BEGIN
    IF numbers && ARRAY['NaN', 'Infinity', '-Infinity']::float8[] THEN
        RAISE invalid_text_representation USING MESSAGE = 'a shape is made of finite numbers';
    END IF;
    RETURN numbers;
END $$;
COMMENT ON FUNCTION vo.numbers_of_text(text) IS 'Numbers between blanks';

-- A shape of NaN alone is none: DALI writes null so where a serialisation has no other way (DALI 1.1, section 3.3.5).
CREATE OR REPLACE FUNCTION vo.is_no_shape(n float8[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 'NaN' = ALL(n)
$$;
COMMENT ON FUNCTION vo.is_no_shape(float8[]) IS 'Whether all numbers are NaN';

CREATE OR REPLACE FUNCTION vo.point_of_numbers(n float8[]) RETURNS spoint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10 AS $$
BEGIN
    IF vo.is_no_shape(n) THEN
        RETURN NULL;
    END IF;
    IF cardinality(n) <> 2 OR n[2] NOT BETWEEN -90 AND 90 OR abs(n[1]) = 'Infinity' OR n[1] = 'NaN' THEN
        RAISE invalid_text_representation USING MESSAGE = 'a POINT is made of longitude and latitude';
    END IF;
    RETURN spoint(radians(n[1]), radians(n[2]));
END $$;
COMMENT ON FUNCTION vo.point_of_numbers(float8[]) IS 'Point of DALI''s two numbers';

CREATE OR REPLACE FUNCTION vo.circle_of_numbers(n float8[]) RETURNS scircle
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10 AS $$
BEGIN
    IF vo.is_no_shape(n) THEN
        RETURN NULL;
    END IF;
    IF cardinality(n) <> 3 OR n[2] NOT BETWEEN -90 AND 90 OR n[3] NOT BETWEEN 0 AND 90
       OR abs(n[1]) = 'Infinity' OR n[1] = 'NaN' THEN
        RAISE invalid_text_representation USING MESSAGE = 'a CIRCLE is made of longitude, latitude and radius';
    END IF;
    RETURN scircle(spoint(radians(n[1]), radians(n[2])), radians(n[3]));
END $$;
COMMENT ON FUNCTION vo.circle_of_numbers(float8[]) IS 'Circle of DALI''s three numbers, of at most a hemisphere';

CREATE OR REPLACE FUNCTION vo.polygon_of_numbers(n float8[]) RETURNS spoly
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 150 AS $$
DECLARE
    corners text := '';
BEGIN
    IF vo.is_no_shape(n) THEN
        RETURN NULL;
    END IF;
    -- pgSphere compares every edge with every other and cannot be interrupted meanwhile
    IF cardinality(n) < 6 OR cardinality(n) % 2 = 1 OR cardinality(n) > 2000 THEN
        RAISE invalid_text_representation USING MESSAGE = 'a POLYGON is made of 3 to 1,000 pairs of numbers';
    END IF;
    FOR i IN 1 .. cardinality(n) BY 2 LOOP
        IF n[i + 1] NOT BETWEEN -90 AND 90 OR abs(n[i]) = 'Infinity' OR n[i] = 'NaN' THEN
            RAISE invalid_text_representation USING MESSAGE = 'a latitude runs from -90 to 90 degrees';
        END IF;
        corners := corners || CASE WHEN i > 1 THEN ',' ELSE '' END || '(' || radians(n[i]) || ',' || radians(n[i + 1]) || ')';
    END LOOP;
    RETURN ('{' || corners || '}')::spoly;
END $$;
COMMENT ON FUNCTION vo.polygon_of_numbers(float8[]) IS 'Polygon of DALI''s pairs of numbers';

CREATE OR REPLACE FUNCTION vo.point_of_text(written text) RETURNS spoint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 60 AS $$
    SELECT vo.point_of_numbers(vo.numbers_of_text(written))
$$;
COMMENT ON FUNCTION vo.point_of_text(text) IS 'Point of DALI''s text';

CREATE OR REPLACE FUNCTION vo.circle_of_text(written text) RETURNS scircle
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 60 AS $$
    SELECT vo.circle_of_numbers(vo.numbers_of_text(written))
$$;
COMMENT ON FUNCTION vo.circle_of_text(text) IS 'Circle of DALI''s text, of at most a hemisphere';

CREATE OR REPLACE FUNCTION vo.polygon_of_text(written text) RETURNS spoly
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 200 AS $$
    SELECT vo.polygon_of_numbers(vo.numbers_of_text(written))
$$;
COMMENT ON FUNCTION vo.polygon_of_text(text) IS 'Polygon of DALI''s text';
