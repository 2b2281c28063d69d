-- load: since when the server runs, and how far each process has come in a partition; one row without a name when none has.
SELECT pg_postmaster_start_time(), kept.name, kept.position
FROM (VALUES (1)) AS always
LEFT JOIN process_checkpoints AS kept ON kept.partition = %(partition)s;

-- save: move checkpoints forward, on the server that runs since then; one that is further already stays where it is. Since when this one runs.
WITH saved AS (
    INSERT INTO process_checkpoints AS kept (name, partition, position)
    SELECT name, %(partition)s, position
    FROM unnest(%(names)s::text[], %(positions)s::bigint[]) AS moved (name, position)
    WHERE pg_postmaster_start_time() = coalesce(%(began)s, pg_postmaster_start_time())
    ORDER BY name
    ON CONFLICT (name, partition) DO UPDATE
    SET position = excluded.position, moved_at = now()
    WHERE kept.position < excluded.position
)
SELECT pg_postmaster_start_time();

-- parked: the events of processes that wait, and those that a person gave up, in order.
SELECT consumer, key, position, discarded_at IS NOT NULL
FROM dead_letters
WHERE partition = %(partition)s AND generation = 'live' AND starts_with(consumer, 'process:')
ORDER BY position
LIMIT %(limit)s;

-- due: the first event of each stream that waits, unless it was tried lately: 30 s, 1 min, 2 min … 1 h ago.
SELECT consumer, position
FROM (
    SELECT DISTINCT ON (consumer, key) consumer, position, attempts, tried_at
    FROM dead_letters
    WHERE partition = %(partition)s AND generation = 'live' AND starts_with(consumer, 'process:')
      AND discarded_at IS NULL
    ORDER BY consumer, key, position
) AS first
WHERE tried_at IS NULL
   OR tried_at < now() - make_interval(secs => least(15 * 2 ^ least(attempts, 10), 3600))
ORDER BY position
LIMIT %(limit)s;

-- park: put an event aside with its cause; with none, it waits for another of its stream.
INSERT INTO dead_letters AS kept
    (consumer, partition, position, key, stream_id, type, cause, attempts, tried_at)
VALUES (%(consumer)s, %(partition)s, %(position)s, %(key)s, %(key)s, %(type)s, %(cause)s::text,
        CASE WHEN %(cause)s::text IS NULL THEN 0 ELSE 1 END,
        CASE WHEN %(cause)s::text IS NULL THEN NULL ELSE now() END)
ON CONFLICT (consumer, generation, partition, position) DO UPDATE
SET cause = coalesce(excluded.cause, kept.cause), attempts = kept.attempts + excluded.attempts,
    tried_at = coalesce(excluded.tried_at, kept.tried_at);

-- release: an event has been handled after all.
DELETE FROM dead_letters
WHERE consumer = %(consumer)s AND generation = 'live' AND partition = %(partition)s
  AND position = %(position)s;
