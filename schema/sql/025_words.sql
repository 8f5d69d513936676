-- The words of texts, which indexes of tables are made of: hence before the tables. Who changes what vo.words() gives must
-- make these indexes anew (REINDEX).
SET LOCAL ROLE vo_owner;

-- Lower case of all letters: the database's own lower() knows A to Z only, since its collation is C.
-- Letters that may be written in two ways (an umlaut, or a vowel and a mark) become the same.
CREATE OR REPLACE FUNCTION vo.folded(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(value) = char_length(value) THEN lower(value)
                ELSE lower(normalize(value, NFC) COLLATE "und-x-icu") COLLATE "C" END
$$;
COMMENT ON FUNCTION vo.folded IS 'The text in lower case, beyond ASCII too (Unicode, section 3.13, R2)';

CREATE OR REPLACE FUNCTION vo.words(value text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_to_array(
        btrim(regexp_replace(vo.folded(value) COLLATE "und-x-icu", '[^[:alnum:]]+', ' ', 'g')) COLLATE "C", ' ')
$$;
COMMENT ON FUNCTION vo.words IS 'The words of a text in lower case: its runs of letters and digits';

CREATE OR REPLACE FUNCTION vo.has_words(haystack text, needle text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT vo.words(needle) <@ vo.words(haystack) AND vo.words(needle) <> '{}'
$$;
COMMENT ON FUNCTION vo.has_words IS 'Whether all words of needle, one at least, are words of haystack';

RESET ROLE;
