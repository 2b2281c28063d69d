-- keep_secret: keep a sealed secret. One that is kept already stays as it is.
INSERT INTO webhook_secrets (secret_id, sealed) VALUES (%(secret_id)s, %(sealed)s)
ON CONFLICT (secret_id) DO NOTHING;

-- secrets: sealed secrets by what they are called.
SELECT secret_id, sealed FROM webhook_secrets WHERE secret_id = ANY(%(secret_ids)s);

-- drop_secret: forget a secret that nobody was told of.
DELETE FROM webhook_secrets WHERE secret_id = %(secret_id)s;

-- end_secrets: these sign nothing any more from a time on.
UPDATE webhook_secrets SET until = %(until)s WHERE secret_id = ANY(%(secret_ids)s);

-- drop_secrets: forget those that sign nothing any more.
DELETE FROM webhook_secrets WHERE until < %(now)s;

-- position: up to where events have been queued.
SELECT position FROM process_checkpoints WHERE name = 'webhooks' AND partition = %(partition)s;

-- move: events are queued up to here; further already stays so.
INSERT INTO process_checkpoints AS kept (name, partition, position)
VALUES ('webhooks', %(partition)s, %(position)s)
ON CONFLICT (name, partition) DO UPDATE
SET position = excluded.position, moved_at = now()
WHERE kept.position < excluded.position;

-- put_messages: what is to be sent; what is there already is the same.
INSERT INTO webhook_messages (message_id, merchant_id, type, stream_id, position, recorded_at, body)
SELECT * FROM unnest(%(ids)s::text[], %(merchants)s::text[], %(types)s::text[], %(streams)s::text[], %(positions)s::bigint[],
    %(times)s::timestamptz[], %(bodies)s::bytea[])
ON CONFLICT (message_id) DO NOTHING;

-- put_deliveries: to whom it is to be sent, in this order; what is there already is not begun anew.
INSERT INTO webhook_deliveries (
    delivery_id, partition, endpoint_id, merchant_id, message_id, stream_id, kind, replay_id, status, again_at, made_at
)
SELECT given.delivery_id, %(partition)s, given.endpoint_id, message.merchant_id, given.message_id, message.stream_id, given.kind,
    given.replay_id, 'pending', %(now)s, %(now)s
FROM unnest(%(ids)s::text[], %(endpoints)s::text[], %(messages)s::text[], %(kinds)s::text[], %(replays)s::text[])
    WITH ORDINALITY AS given (delivery_id, endpoint_id, message_id, kind, replay_id, place)
JOIN webhook_messages AS message USING (message_id)
ORDER BY given.place
ON CONFLICT (delivery_id) DO NOTHING;

-- put_replay: a replay is to be queued.
INSERT INTO webhook_replays (replay_id, partition, endpoint_id, merchant_id, after, until, undelivered_only, requested_at)
VALUES (%(replay_id)s, %(partition)s, %(endpoint_id)s, %(merchant_id)s, %(after)s, %(until)s, %(undelivered_only)s,
    %(requested_at)s)
ON CONFLICT (replay_id) DO NOTHING;

-- replays: those of which not all is queued, but for those of which much waits already; the oldest first.
SELECT replay.replay_id, replay.endpoint_id, replay.merchant_id, replay.after, replay.until, replay.undelivered_only,
    replay.requested_at
FROM webhook_replays AS replay
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting
    FROM (
        SELECT 1
        FROM webhook_deliveries AS delivery
        WHERE delivery.partition = replay.partition AND delivery.endpoint_id = replay.endpoint_id
            AND delivery.again_at IS NOT NULL
        LIMIT %(waiting_max)s
    ) AS counted
) AS queue
WHERE replay.partition = %(partition)s AND queue.waiting < %(waiting_max)s
ORDER BY replay.replay_id
LIMIT %(limit)s;

-- move_replay: it is queued up to here.
UPDATE webhook_replays SET after = greatest(after, %(after)s) WHERE replay_id = %(replay_id)s;

-- end_replays: those of which all is queued.
DELETE FROM webhook_replays WHERE partition = %(partition)s AND after >= until;

-- end_replays_of: nobody waits for these any more.
DELETE FROM webhook_replays WHERE endpoint_id = %(endpoint_id)s;

-- delivered_to: which of these messages an endpoint has taken.
SELECT DISTINCT message_id
FROM webhook_deliveries
WHERE endpoint_id = %(endpoint_id)s AND message_id = ANY(%(message_ids)s) AND status = 'delivered';

-- take: what is due, put off until again_at so that nobody else tries it meanwhile. Of each endpoint the first of each stream,
-- so many at a time less those that are busy, and one where everything fails: a slow endpoint keeps no other waiting.
WITH RECURSIVE waiting (endpoint_id) AS (
    (
        SELECT endpoint_id FROM webhook_deliveries
        WHERE partition = %(partition)s AND again_at IS NOT NULL
        ORDER BY endpoint_id LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT next.endpoint_id FROM webhook_deliveries AS next
        WHERE next.partition = %(partition)s AND next.again_at IS NOT NULL AND next.endpoint_id > waiting.endpoint_id
        ORDER BY next.endpoint_id LIMIT 1
    )
    FROM waiting
    WHERE waiting.endpoint_id IS NOT NULL
), due AS (
    SELECT first.delivery_id, first.again_at, first.number
    FROM waiting
    LEFT JOIN webhook_standings AS standing USING (endpoint_id)
    LEFT JOIN unnest(%(busy_endpoints)s::text[], %(busy_counts)s::integer[]) AS busy (endpoint_id, count) USING (endpoint_id)
    CROSS JOIN LATERAL (
        SELECT candidate.*, row_number() OVER (ORDER BY again_at, number) AS rank
        FROM (
            SELECT delivery.delivery_id, delivery.again_at, delivery.number
            FROM webhook_deliveries AS delivery
            WHERE delivery.partition = %(partition)s
                AND delivery.endpoint_id = waiting.endpoint_id
                AND delivery.again_at <= %(now)s
                AND NOT EXISTS (
                    SELECT 1 FROM webhook_deliveries AS earlier
                    WHERE earlier.endpoint_id = delivery.endpoint_id AND earlier.stream_id = delivery.stream_id
                        AND earlier.number < delivery.number AND earlier.again_at IS NOT NULL
                )
            ORDER BY delivery.again_at, delivery.number
            LIMIT %(each_max)s
        ) AS candidate
    ) AS first
    WHERE first.rank <= CASE WHEN standing.failing_since IS NULL THEN %(each_max)s ELSE 1 END - coalesce(busy.count, 0)
    ORDER BY first.again_at, first.number
    LIMIT %(limit)s
), taken AS (
    UPDATE webhook_deliveries AS delivery
    SET again_at = %(again_at)s, is_taken = true
    FROM due
    WHERE delivery.delivery_id = due.delivery_id AND delivery.again_at <= %(now)s
    RETURNING delivery.*
)
SELECT taken.delivery_id, taken.endpoint_id, taken.merchant_id, taken.message_id, taken.kind, taken.attempts, message.type,
    message.body
FROM taken
JOIN webhook_messages AS message USING (message_id)
ORDER BY taken.number;

-- next_due: when the next delivery of a partition is due.
SELECT min(again_at) FROM webhook_deliveries WHERE partition = %(partition)s AND again_at IS NOT NULL;

-- attempted: an attempt has been made: write it down, and what follows from it; since when the endpoint fails, if it does. Said
-- twice, or by two, it is said once.
WITH moved AS (
    UPDATE webhook_deliveries
    SET attempts = %(number)s, status = %(status)s, again_at = %(again_at)s, is_taken = false,
        ended_at = CASE WHEN %(again_at)s::timestamptz IS NULL THEN %(at)s::timestamptz END
    WHERE delivery_id = %(delivery_id)s AND attempts = %(number)s - 1 AND again_at IS NOT NULL
    RETURNING delivery_id, endpoint_id, kind
), logged AS (
    INSERT INTO webhook_attempts (delivery_id, number, at, duration_ms, status_code, error, body)
    SELECT delivery_id, %(number)s, %(at)s, %(duration_ms)s, %(status_code)s, %(error)s, %(body)s FROM moved
), stood AS (
    INSERT INTO webhook_standings AS standing (endpoint_id, failing_since, succeeded_at, failed_at)
    SELECT endpoint_id, CASE WHEN %(is_taken)s THEN NULL ELSE %(at)s::timestamptz END,
        CASE WHEN %(is_taken)s THEN %(at)s::timestamptz END, CASE WHEN %(is_taken)s THEN NULL ELSE %(at)s::timestamptz END
    FROM moved
    WHERE kind <> 'test' OR %(is_taken)s
    ON CONFLICT (endpoint_id) DO UPDATE
    SET failing_since = CASE WHEN %(is_taken)s THEN NULL ELSE coalesce(standing.failing_since, excluded.failing_since) END,
        succeeded_at = coalesce(excluded.succeeded_at, standing.succeeded_at),
        failed_at = coalesce(excluded.failed_at, standing.failed_at)
    RETURNING failing_since
)
SELECT failing_since FROM stood;

-- put_off: try it at another time; that it was not possible now is not the endpoint's fault.
UPDATE webhook_deliveries
SET again_at = %(again_at)s, is_taken = false
WHERE delivery_id = ANY(%(delivery_ids)s) AND again_at IS NOT NULL;

-- release: whoever had taken something of this partition is gone: it is due now.
UPDATE webhook_deliveries
SET again_at = least(again_at, %(now)s), is_taken = false
WHERE partition = %(partition)s AND again_at IS NOT NULL AND is_taken;

-- cancel: what waits for an endpoint is not sent any more; how much that was. Tests are of an endpoint that is disabled, too.
WITH ended AS (
    UPDATE webhook_deliveries
    SET status = 'canceled', again_at = NULL, ended_at = %(now)s
    WHERE partition = %(partition)s AND endpoint_id = %(endpoint_id)s AND again_at IS NOT NULL
        AND (kind <> 'test' OR %(tests_too)s)
    RETURNING 1
)
SELECT count(*) FROM ended;

-- begin_anew: an endpoint that is enabled again has not failed yet.
UPDATE webhook_standings SET failing_since = NULL WHERE endpoint_id = %(endpoint_id)s;

-- deliveries: those of an endpoint, the newest first, with their last attempt.
SELECT delivery.delivery_id, delivery.number, delivery.message_id, delivery.kind, delivery.replay_id, delivery.status,
    delivery.attempts, delivery.again_at, delivery.made_at, delivery.ended_at, message.type, message.position, message.stream_id,
    last.at AS tried_at, last.duration_ms, last.status_code, last.error, last.body
FROM webhook_deliveries AS delivery
JOIN webhook_messages AS message USING (message_id)
LEFT JOIN webhook_attempts AS last ON last.delivery_id = delivery.delivery_id AND last.number = delivery.attempts
WHERE delivery.endpoint_id = %(endpoint_id)s AND delivery.merchant_id = %(merchant_id)s
    AND (%(status)s::text IS NULL OR delivery.status = %(status)s)
    AND (%(type)s::text IS NULL OR message.type = %(type)s)
    AND (%(message_id)s::text IS NULL OR delivery.message_id = %(message_id)s)
    AND delivery.number < coalesce(
        (SELECT number FROM webhook_deliveries WHERE delivery_id = %(after)s AND endpoint_id = %(endpoint_id)s),
        9223372036854775807
    )
ORDER BY delivery.number DESC
LIMIT %(limit)s;

-- delivery: one delivery with what is sent, or no row.
SELECT delivery.delivery_id, delivery.number, delivery.message_id, delivery.kind, delivery.replay_id, delivery.status,
    delivery.attempts, delivery.again_at, delivery.made_at, delivery.ended_at, message.type, message.position, message.stream_id,
    message.body AS sent
FROM webhook_deliveries AS delivery
JOIN webhook_messages AS message USING (message_id)
WHERE delivery.delivery_id = %(delivery_id)s AND delivery.endpoint_id = %(endpoint_id)s
    AND delivery.merchant_id = %(merchant_id)s;

-- attempts: every attempt of a delivery, the first first.
SELECT number, at AS tried_at, duration_ms, status_code, error, body
FROM webhook_attempts
WHERE delivery_id = %(delivery_id)s
ORDER BY number;

-- position_of: where in the log the event of a message is, or no row.
SELECT position FROM webhook_messages WHERE message_id = %(message_id)s AND merchant_id = %(merchant_id)s;

-- standings: how endpoints do, and how much waits for each.
SELECT given.endpoint_id, standing.failing_since, standing.succeeded_at, standing.failed_at, (
        SELECT count(*) FROM (
            SELECT 1 FROM webhook_deliveries AS delivery
            WHERE delivery.partition = %(partition)s AND delivery.endpoint_id = given.endpoint_id AND delivery.again_at IS NOT NULL
            LIMIT %(waiting_max)s
        ) AS counted
    ) AS waiting
FROM unnest(%(endpoint_ids)s::text[]) AS given (endpoint_id)
LEFT JOIN webhook_standings AS standing USING (endpoint_id);

-- drop_ended: forget deliveries that ended before, and messages that nobody is sent any more; how many deliveries those were.
WITH dropped AS (
    DELETE FROM webhook_deliveries
    WHERE delivery_id IN (
        SELECT delivery_id FROM webhook_deliveries
        WHERE partition = %(partition)s AND again_at IS NULL AND ended_at < %(before)s
        LIMIT %(limit)s
    )
    RETURNING message_id
)
SELECT count(*), coalesce(array_agg(DISTINCT message_id), '{}') FROM dropped;

-- drop_messages: forget those of these that no delivery is of.
DELETE FROM webhook_messages AS message
WHERE message.message_id = ANY(%(message_ids)s)
    AND NOT EXISTS (SELECT 1 FROM webhook_deliveries AS delivery WHERE delivery.message_id = message.message_id);

-- parked: positions of events that were put aside, and that nobody gave up.
SELECT position FROM dead_letters
WHERE consumer = 'webhooks' AND generation = 'live' AND partition = %(partition)s AND discarded_at IS NULL
ORDER BY position
LIMIT %(limit)s;

-- unpark: it was told of after all.
DELETE FROM dead_letters
WHERE consumer = 'webhooks' AND generation = 'live' AND partition = %(partition)s AND position = %(position)s;

-- park: an event of which no message could be made is put aside with its cause.
INSERT INTO dead_letters AS kept (consumer, partition, position, key, stream_id, type, cause, attempts, tried_at)
VALUES ('webhooks', %(partition)s, %(position)s, %(stream_id)s, %(stream_id)s, %(type)s, %(cause)s, 1, now())
ON CONFLICT (consumer, generation, partition, position) DO UPDATE
SET cause = excluded.cause, attempts = kept.attempts + 1, tried_at = excluded.tried_at;
