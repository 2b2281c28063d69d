-- live_positions: how far the live generation is, in each partition.
SELECT partition, position
FROM projection_checkpoints
WHERE name = %(name)s AND generation = 'live'
ORDER BY partition;

-- count_rows: of a live table.
SELECT count(*)
FROM {live};

-- key_columns: the columns of a table's primary key.
SELECT attribute.attname
FROM pg_index AS key
JOIN pg_attribute AS attribute ON attribute.attrelid = key.indrelid AND attribute.attnum = ANY(key.indkey)
WHERE key.indrelid = %(table)s::regclass AND key.indisprimary
ORDER BY array_position(key.indkey::smallint[], attribute.attnum);

-- differing_rows: rows that are not the same on both sides, the first of them with how many there are.
SELECT count(*) OVER () AS differing, to_jsonb(live), to_jsonb(rebuilt)
FROM {live} AS live
FULL JOIN {rebuilt} AS rebuilt USING ({keys})
WHERE to_jsonb(live) IS DISTINCT FROM to_jsonb(rebuilt)
ORDER BY {keys}
LIMIT %(limit)s;
