-- CAST of texts to shapes: DALI's numbers in degrees, separated by blanks (DALI 1.1, section 3.3.5 to 3.3.7). pgSphere's
-- own readers take no exponents with degrees, and their errors pass for a broken server.

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

CREATE OR REPLACE FUNCTION vo.point_of_text(written text) RETURNS spoint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 60 AS $$
DECLARE
    n float8[] := vo.numbers_of_text(written);
BEGIN
    IF cardinality(n) <> 2 OR n[2] NOT BETWEEN -90 AND 90 THEN
        RAISE invalid_text_representation USING MESSAGE = 'a POINT is made of longitude and latitude';
    END IF;
    RETURN spoint(radians(n[1]), radians(n[2]));
END $$;
COMMENT ON FUNCTION vo.point_of_text(text) IS 'Point of DALI''s text';

CREATE OR REPLACE FUNCTION vo.circle_of_text(written text) RETURNS scircle
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 60 AS $$
DECLARE
    n float8[] := vo.numbers_of_text(written);
BEGIN
    IF cardinality(n) <> 3 OR n[2] NOT BETWEEN -90 AND 90 OR n[3] NOT BETWEEN 0 AND 90 THEN
        RAISE invalid_text_representation USING MESSAGE = 'a CIRCLE is made of longitude, latitude and radius';
    END IF;
    RETURN scircle(spoint(radians(n[1]), radians(n[2])), radians(n[3]));
END $$;
COMMENT ON FUNCTION vo.circle_of_text(text) IS 'Circle of DALI''s text, of at most a hemisphere';

CREATE OR REPLACE FUNCTION vo.polygon_of_text(written text) RETURNS spoly
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 200 AS $$
DECLARE
    n float8[] := vo.numbers_of_text(written);
    corners text := '';
BEGIN
    -- pgSphere compares every edge with every other and cannot be interrupted meanwhile
    IF cardinality(n) < 6 OR cardinality(n) % 2 = 1 OR cardinality(n) > 2000 THEN
        RAISE invalid_text_representation USING MESSAGE = 'a POLYGON is made of 3 to 1,000 pairs of numbers';
    END IF;
    FOR i IN 1 .. cardinality(n) BY 2 LOOP
        IF n[i + 1] NOT BETWEEN -90 AND 90 THEN
            RAISE invalid_text_representation USING MESSAGE = 'a latitude runs from -90 to 90 degrees';
        END IF;
        corners := corners || CASE WHEN i > 1 THEN ',' ELSE '' END || '(' || radians(n[i]) || ',' || radians(n[i + 1]) || ')';
    END LOOP;
    RETURN ('{' || corners || '}')::spoly;
END $$;
COMMENT ON FUNCTION vo.polygon_of_text(text) IS 'Polygon of DALI''s text';
