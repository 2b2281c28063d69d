-- claim: put batches down with those of their items that nobody has claimed; which those are. Sorted, so that two who claim the same items do not wait for each other in a circle.
WITH given AS (
    SELECT key, batches[place] AS batch_id, seq
    FROM unnest(%(keys)b, %(places)b, %(seqs)b) AS item (key, place, seq),
        (SELECT %(batches)b AS batches) AS known
), taken AS (
    INSERT INTO usage_items (key, batch_id, seq)
    SELECT key, batch_id, seq FROM given ORDER BY key, seq
    ON CONFLICT (key) DO NOTHING
    RETURNING batch_id, seq
), of_batch AS (
    SELECT batch_id, array_agg(seq ORDER BY seq) AS seqs FROM taken GROUP BY batch_id
), kept AS (
    INSERT INTO usage_batches (batch_id, merchant_id, account_id, claimed_at, meter_ids, items, taken)
    SELECT batch.batch_id, %(merchant_id)s, batch.account_id, %(claimed_at)s, %(meter_ids)s, batch.items, seqs
    FROM unnest(%(batches)b, %(account_ids)b, %(items)b) AS batch (batch_id, account_id, items)
    JOIN of_batch USING (batch_id)
)
SELECT batch_id, seqs FROM of_batch;

-- settle: say where batches are in the log.
UPDATE usage_batches AS batch
SET position = settled.position
FROM unnest(%(batches)b, %(positions)s::bigint[]) AS settled (batch_id, position)
WHERE batch.batch_id = settled.batch_id AND batch.position IS NULL;

-- give_back: let go of items that were refused, so that they can be sent again.
DELETE FROM usage_items WHERE key = ANY (%(keys)b) AND batch_id = ANY (%(batches)b);

-- unfinished_of: batches that have some of these items and are not recorded.
SELECT DISTINCT batch.batch_id
FROM usage_items AS item JOIN usage_batches AS batch USING (batch_id)
WHERE item.key = ANY (%(keys)b) AND batch.position IS NULL;

-- counted: of these items, those whose batch is recorded with them. What a recorded batch has left it never gives back.
SELECT item.key
FROM usage_items AS item JOIN usage_batches AS batch USING (batch_id)
WHERE item.key = ANY (%(keys)b) AND batch.position IS NOT NULL;

-- unfinished: batches that nobody recorded for a while, the oldest first; behind them those that were put aside, unless they were tried lately: 30 s, 1 min, 2 min … 1 h ago.
SELECT batch.batch_id
FROM usage_batches AS batch
LEFT JOIN dead_letters AS letter
    ON letter.consumer = 'usage:' || batch.batch_id AND letter.generation = 'live' AND letter.discarded_at IS NULL
WHERE batch.position IS NULL AND batch.stored_at < now() - make_interval(secs => %(seconds)s)
    AND (letter.id IS NULL
        OR letter.tried_at < now() - make_interval(secs => least(15 * 2 ^ least(letter.attempts, 10), 3600)))
ORDER BY letter.id IS NOT NULL, batch.stored_at
LIMIT %(limit)s;

-- put_aside: batches that cannot be recorded, with the cause, for an operator; each once.
INSERT INTO dead_letters AS kept (consumer, partition, position, key, stream_id, type, cause, attempts, tried_at)
SELECT 'usage:' || batch_id, partition, 0, account_id, account_id, 'usage batch', cause, 1, now()
FROM unnest(%(batches)b, %(partitions)b, %(causes)b) AS aside (batch_id, partition, cause)
JOIN usage_batches USING (batch_id)
WHERE usage_batches.position IS NULL
ON CONFLICT (consumer, generation, partition, position) DO UPDATE
SET cause = excluded.cause, attempts = kept.attempts + 1, tried_at = now();

-- aside: of these items, those whose batch was put aside and is not recorded.
SELECT item.key
FROM usage_items AS item
JOIN usage_batches AS batch USING (batch_id)
JOIN dead_letters AS letter ON letter.consumer = 'usage:' || batch.batch_id AND letter.generation = 'live'
WHERE item.key = ANY (%(keys)b) AND batch.position IS NULL;

-- release: batches that were put aside and are recorded.
DELETE FROM dead_letters AS letter
USING usage_batches AS batch
WHERE letter.consumer >= 'usage:' AND letter.consumer < 'usage;' AND letter.discarded_at IS NULL
    AND batch.batch_id = substr(letter.consumer, 7)::uuid AND batch.position IS NOT NULL;

-- let_go: of a batch that is never recorded, all items: they can be sent again.
DELETE FROM usage_items WHERE batch_id = %(batch_id)s;

-- close: a batch that is never recorded.
UPDATE usage_batches SET position = 0 WHERE batch_id = %(batch_id)s AND position IS NULL;

-- discard: what a person gave up stays known.
UPDATE dead_letters SET discarded_at = now()
WHERE consumer = 'usage:' || %(batch_id)s::uuid AND generation = 'live';

-- batches: some of them, whole.
SELECT batch_id, merchant_id, account_id, claimed_at, meter_ids, items, taken, position
FROM usage_batches
WHERE batch_id = ANY (%(batches)b);

-- places: where items are.
SELECT key, batch_id, seq FROM usage_items WHERE key = ANY (%(keys)b);

-- merchant_of: whose a batch is.
SELECT merchant_id FROM usage_batches WHERE batch_id = %(batch_id)s;
