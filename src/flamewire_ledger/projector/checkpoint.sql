-- lock_checkpoints: the positions of these projections, locked in the order of their names.
SELECT name, position
FROM projection_checkpoints
WHERE name = ANY(%(names)s) AND generation = %(generation)s AND partition = %(partition)s
ORDER BY name
FOR UPDATE;

-- fingerprints: the definitions that built the live tables.
SELECT name, fingerprint
FROM projections
WHERE name = ANY(%(names)s);

-- parked_keys: the keys whose events wait.
SELECT DISTINCT consumer, key
FROM dead_letters
WHERE consumer = ANY(%(consumers)s) AND generation = %(generation)s AND partition = %(partition)s
    AND discarded_at IS NULL;

-- discarded_positions: the events that are left out, of those still to come.
SELECT letter.consumer, letter.position
FROM dead_letters AS letter
JOIN projection_checkpoints AS checkpoint
    ON letter.consumer = 'projection:' || checkpoint.name
    AND letter.generation = checkpoint.generation
    AND letter.partition = checkpoint.partition
WHERE letter.consumer = ANY(%(consumers)s)
    AND letter.generation = %(generation)s
    AND letter.partition = %(partition)s
    AND letter.discarded_at IS NOT NULL
    AND letter.position > checkpoint.position;

-- move_checkpoints: to the positions given; the rows are locked.
UPDATE projection_checkpoints AS checkpoint
SET position = moved.position, moved_at = clock_timestamp()
FROM unnest(%(names)s::text[], %(positions)s::bigint[]) AS moved (name, position)
WHERE checkpoint.name = moved.name AND checkpoint.generation = %(generation)s
    AND checkpoint.partition = %(partition)s;
