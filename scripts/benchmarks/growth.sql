-- make_patterns: three real commands of one account, opened, filled and burnt through the API, with what the store keeps of each.
CREATE TEMPORARY TABLE patterns AS
SELECT row_number() OVER (ORDER BY e.version) AS kind, e.type, e.merchant_id, e.metadata,
       convert_from(e.data, 'UTF8') AS data, c.fingerprint, convert_from(c.answer, 'UTF8') AS answer
FROM events AS e
JOIN commands AS c ON c.partition = e.partition AND c.command_id = e.command_id
WHERE e.partition = 0 AND e.stream_id = %(account)s
ORDER BY e.version
LIMIT 3;

-- hasten: what is filled in need not survive a crash.
SET synchronous_commit = off;

-- make_room: where the log is kept in segments, those that are going to be filled.
SELECT make_room(0, head + %(events)s) FROM partitions WHERE partition = 0;

-- fill: a stretch of events, each with its command; of account number n the events n, n + accounts, …, so that a stretch has some of each.
WITH numbered AS (
    SELECT number, number %% %(accounts)s AS account, number / %(accounts)s + 1 AS version,
           'ca_' || lpad(%(base)s::text, 13, '0') || lpad((number %% %(accounts)s)::text, 13, '0') AS stream_id,
           gen_random_uuid() AS command_id
    FROM generate_series(%(first)s, %(last)s) AS number
), shaped AS (
    SELECT n.*, p.type, p.merchant_id, p.metadata, p.fingerprint,
           convert_to(replace(p.data, %(account)s, n.stream_id), 'UTF8') AS data,
           convert_to(replace(p.answer, %(account)s, n.stream_id), 'UTF8') AS answer
    FROM numbered AS n
    JOIN patterns AS p ON p.kind = least(n.version, 3)
), recorded AS (
    INSERT INTO commands (partition, command_id, fingerprint, answer, position)
    SELECT 0, command_id, fingerprint, answer, %(base)s + number + 1 FROM shaped
)
INSERT INTO events (partition, position, recorded_at, version, command_id, stream_id, type,
                    merchant_id, metadata, data)
SELECT 0, %(base)s + number + 1, now(), version, command_id, stream_id, type, merchant_id,
       metadata, data
FROM shaped
ORDER BY number;

-- set_head: the positions that were filled are the log's now.
UPDATE partitions SET head = head + %(events)s, recorded_at = now() WHERE partition = 0;

-- set_streams: as many as were filled, each with its version and where its events are.
INSERT INTO streams (partition, version, first_position, last_position, stream_id)
SELECT 0, max(version), min(position), max(position), stream_id
FROM events
WHERE partition = 0 AND position > %(base)s
GROUP BY stream_id;

-- settle: what a log that grew over months has had.
VACUUM (ANALYZE) events, streams, commands;

-- write_down: so that the measurement does not pay for the filling.
CHECKPOINT;
