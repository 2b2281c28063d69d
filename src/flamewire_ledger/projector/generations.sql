-- try_lock: whether the right to build is ours now, for as long as the connection lives.
SELECT pg_try_advisory_lock(hashtextextended(%(lock)s, 0));

-- unlock: give it back.
SELECT pg_advisory_unlock(hashtextextended(%(lock)s, 0));

-- create_schema: room for a generation.
CREATE SCHEMA {name};

-- drop_schema: a generation with all of its tables.
DROP SCHEMA IF EXISTS {name} CASCADE;

-- begin_checkpoints: a generation that has read nothing.
INSERT INTO projection_checkpoints (name, generation, partition, position)
SELECT %(name)s, %(generation)s, partition, 0
FROM generate_series(0, %(partitions)s::integer - 1) AS partition;

-- copy_discarded: what a person gave up stays given up.
INSERT INTO dead_letters (
    consumer, generation, partition, position, key, stream_id, type, cause, attempts, parked_at, tried_at, discarded_at
)
SELECT consumer, %(generation)s, partition, position, key, stream_id, type, cause, attempts, parked_at, tried_at,
    discarded_at
FROM dead_letters
WHERE consumer = %(consumer)s AND generation = 'live' AND discarded_at IS NOT NULL;

-- drop_checkpoints: forget how far a generation was.
DELETE FROM projection_checkpoints
WHERE name = %(name)s AND generation = %(generation)s;

-- drop_letters: forget what a generation had parked.
DELETE FROM dead_letters
WHERE consumer = %(consumer)s AND generation = %(generation)s;

-- analyze: let the planner know what is in a table.
ANALYZE {table};

-- lock_live: how far the live generation is, and that it stays there until the transaction ends.
SELECT partition, position
FROM projection_checkpoints
WHERE name = %(name)s AND generation = 'live'
ORDER BY partition
FOR UPDATE;

-- live_tables: the tables of the live generation, which may be of another version.
SELECT unnest(tables) AS name
FROM projections
WHERE name = %(name)s
ORDER BY 1;

-- do_not_wait: longer than this for a lock, so that readers are held up no longer either.
SET LOCAL lock_timeout = '300ms';

-- lock_table: nobody reads it until the transaction ends.
LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE;

-- move_table: into another schema, with its indexes.
ALTER TABLE {name} SET SCHEMA {to};

-- record_built: which definition the live tables come from.
INSERT INTO projections (name, version, fingerprint, tables, built_at)
VALUES (%(name)s, %(version)s, %(fingerprint)s, %(tables)s, clock_timestamp())
ON CONFLICT (name) DO UPDATE
SET version = excluded.version, fingerprint = excluded.fingerprint, tables = excluded.tables,
    built_at = excluded.built_at;

-- drop_live_letters: what the old generation could not take; the next one tried it anew.
DELETE FROM dead_letters
WHERE consumer = %(consumer)s AND generation = 'live';

-- keep_next_letters: what the next generation could not take is what is parked now.
UPDATE dead_letters
SET generation = 'live'
WHERE consumer = %(consumer)s AND generation = 'next';

-- keep_next_checkpoints: live is where the next generation is. A projector that waits for one of these rows goes on with it.
INSERT INTO projection_checkpoints (name, generation, partition, position)
SELECT name, 'live', partition, position
FROM projection_checkpoints
WHERE name = %(name)s AND generation = 'next'
ON CONFLICT (name, generation, partition) DO UPDATE
SET position = excluded.position, moved_at = clock_timestamp();

-- drop_next_checkpoints: there is no next generation any more.
DELETE FROM projection_checkpoints
WHERE name = %(name)s AND generation = 'next';
