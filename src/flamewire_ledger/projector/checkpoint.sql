-- lock_checkpoints: lock those of these projections in the order of their names.
SELECT name
FROM projection_checkpoints
WHERE name = ANY(%(names)s) AND generation = %(generation)s AND partition = %(partition)s
ORDER BY name
FOR UPDATE;

-- marks: how far they are, the definitions that built the live tables, the keys whose events wait, and the events that are left out, of those still to come.
SELECT checkpoint.name, checkpoint.position, projections.fingerprint,
    ARRAY(
        SELECT DISTINCT letter.key
        FROM dead_letters AS letter
        WHERE letter.consumer = 'projection:' || checkpoint.name
            AND letter.generation = %(generation)s
            AND letter.partition = %(partition)s
            AND letter.discarded_at IS NULL
    ) AS parked,
    ARRAY(
        SELECT letter.position
        FROM dead_letters AS letter
        WHERE letter.consumer = 'projection:' || checkpoint.name
            AND letter.generation = %(generation)s
            AND letter.partition = %(partition)s
            AND letter.discarded_at IS NOT NULL
            AND letter.position > checkpoint.position
    ) AS discarded
FROM projection_checkpoints AS checkpoint
LEFT JOIN projections USING (name)
WHERE checkpoint.name = ANY(%(names)s)
    AND checkpoint.generation = %(generation)s
    AND checkpoint.partition = %(partition)s;

-- move_checkpoints: to the positions given; the rows are locked.
UPDATE projection_checkpoints AS checkpoint
SET position = moved.position, moved_at = clock_timestamp()
FROM unnest(%(names)s::text[], %(positions)s::bigint[]) AS moved (name, position)
WHERE checkpoint.name = moved.name AND checkpoint.generation = %(generation)s
    AND checkpoint.partition = %(partition)s;
