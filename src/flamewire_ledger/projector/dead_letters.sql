-- list: what is parked, oldest first, behind a number.
SELECT id, consumer AS reader, partition, position, type, key, stream_id, attempts, cause, parked_at, tried_at,
    discarded_at
FROM dead_letters
WHERE generation = 'live' AND id > %(after)s AND (discarded_at IS NOT NULL) = %(discarded)s
ORDER BY id
LIMIT %(limit)s;

-- by_number: one letter, or no row.
SELECT id, consumer AS reader, partition, position, type, key, stream_id, attempts, cause, parked_at, tried_at,
    discarded_at
FROM dead_letters
WHERE generation = 'live' AND id = %(id)s;

-- of_key: what a key has parked, in the order of its events.
SELECT id, position
FROM dead_letters
WHERE consumer = %(reader)s AND generation = 'live' AND partition = %(partition)s AND key = %(key)s
    AND discarded_at IS NULL
ORDER BY position;

-- failed_again: it was tried and still cannot be applied.
UPDATE dead_letters
SET attempts = attempts + 1, cause = %(cause)s, tried_at = clock_timestamp()
WHERE id = %(id)s;

-- applied: it is a row of the read model now.
DELETE FROM dead_letters
WHERE id = %(id)s;

-- discard: leave it out for good.
UPDATE dead_letters
SET discarded_at = clock_timestamp()
WHERE id = %(id)s;
