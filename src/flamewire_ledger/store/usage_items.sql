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

-- unfinished: batches that nobody recorded for a while, the oldest first.
SELECT batch_id
FROM usage_batches
WHERE position IS NULL AND stored_at < now() - make_interval(secs => %(seconds)s)
ORDER BY stored_at
LIMIT %(limit)s;

-- batches: some of them, whole.
SELECT batch_id, merchant_id, account_id, claimed_at, meter_ids, items, taken, position
FROM usage_batches
WHERE batch_id = ANY (%(batches)b);

-- places: where items are.
SELECT key, batch_id, seq FROM usage_items WHERE key = ANY (%(keys)b);
