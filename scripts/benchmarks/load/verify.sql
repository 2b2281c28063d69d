-- head: the last position of the only partition.
SELECT head FROM partitions WHERE partition = 0;

-- make_acknowledged: what the generator was told, to be compared with what is there.
CREATE TEMPORARY TABLE acknowledged (
    command_id uuid NOT NULL,
    position   bigint NOT NULL,  -- of its last event
    stream_id  text COLLATE "C" NOT NULL,
    units      bigint NOT NULL,
    events     integer NOT NULL,
    type       text COLLATE "C" NOT NULL  -- of its first event
);

-- fill_acknowledged: takes the rows.
COPY acknowledged (command_id, position, stream_id, units, events, type) FROM STDIN (FORMAT BINARY);

-- make_unknown: commands whose answer nobody got: they may be there, once.
CREATE TEMPORARY TABLE unknown (
    command_id uuid NOT NULL,
    units      bigint NOT NULL,
    events     integer NOT NULL,
    type       text COLLATE "C" NOT NULL
);

-- fill_unknown: takes those.
COPY unknown (command_id, units, events, type) FROM STDIN (FORMAT BINARY);

-- analyze_acknowledged: so that a million rows are not joined one by one.
ANALYZE acknowledged;

-- acknowledge_unknown: one that is in the store was done, and is looked at as if it had been answered.
INSERT INTO acknowledged (command_id, position, stream_id, units, events, type)
SELECT u.command_id, c.position, e.stream_id, u.units, u.events, u.type
FROM unknown AS u
JOIN commands AS c ON c.partition = 0 AND c.command_id = u.command_id
JOIN events AS e
    ON e.partition = 0 AND e.position BETWEEN c.position - u.events + 1 AND c.position
    AND e.type = u.type;

-- acknowledged_twice: two answers about one command.
SELECT count(*), min(command_id::text)
FROM (SELECT command_id FROM acknowledged GROUP BY command_id HAVING count(*) > 1) AS twice;

-- command_missing: acknowledged, and not among the commands.
SELECT count(*), min(a.command_id::text)
FROM acknowledged AS a
LEFT JOIN commands AS c ON c.partition = 0 AND c.command_id = a.command_id
WHERE c.command_id IS NULL;

-- position_wrong: the position that was answered is not the one that is kept.
SELECT count(*), min(a.command_id::text)
FROM acknowledged AS a
JOIN commands AS c ON c.partition = 0 AND c.command_id = a.command_id
WHERE c.position <> a.position;

-- events_wrong: not as many events as the command makes, or not up to its position.
SELECT count(*), min(a.command_id::text)
FROM acknowledged AS a
LEFT JOIN (
    SELECT command_id, count(*) AS events, max(position) AS last
    FROM events
    WHERE partition = 0 AND position > %(after)s
    GROUP BY command_id
) AS e ON e.command_id = a.command_id
WHERE e.events IS DISTINCT FROM a.events OR e.last <> a.position;

-- event_unasked: of the types that were asked for, and by nobody who was answered.
SELECT count(*), min(e.command_id::text)
FROM events AS e
LEFT JOIN acknowledged AS a ON a.command_id = e.command_id
WHERE e.partition = 0 AND e.position > %(after)s AND a.command_id IS NULL
    AND e.type IN (SELECT DISTINCT type FROM acknowledged);

-- event_altered: another stream, type or amount than was asked for.
SELECT count(*), min(a.command_id::text)
FROM acknowledged AS a
LEFT JOIN events AS e
    ON e.partition = 0 AND e.position > %(after)s AND e.command_id = a.command_id
    AND e.type = a.type AND e.stream_id = a.stream_id
    AND convert_from(e.data, 'UTF8')::jsonb -> 'amount' ->> 'units' = a.units::text
WHERE e.command_id IS NULL;

-- position_missing: a gap in the positions.
SELECT p.head - %(after)s - count(e.position), 'after ' || %(after)s
FROM partitions AS p
LEFT JOIN events AS e ON e.partition = 0 AND e.position > %(after)s
WHERE p.partition = 0
GROUP BY p.head;

-- balance_wrong: an account that has not burnt what was acknowledged.
SELECT count(*), min(a.stream_id)
FROM (
    SELECT stream_id, sum(units) AS units
    FROM acknowledged
    WHERE type = 'credit_account.consumed.v1'
    GROUP BY stream_id
) AS a
LEFT JOIN read_models.credit_accounts_v1 AS r ON r.account_id = a.stream_id
WHERE r.consumed_units IS DISTINCT FROM a.units
    OR r.granted_units <> r.available_units + r.held_units + r.consumed_units + r.expired_units
        + r.reversed_units - r.owed_units;

-- entries_wrong: an account whose entries are not one for each command, with its amount and position.
SELECT count(*), min(coalesce(a.stream_id, r.account_id))
FROM (SELECT * FROM acknowledged WHERE type = 'credit_account.consumed.v1') AS a
FULL JOIN (
    SELECT * FROM read_models.credit_entries_v1 WHERE kind = 'consumed' AND position > %(after)s
) AS r ON r.account_id = a.stream_id AND r.position = a.position
WHERE r.units IS DISTINCT FROM a.units;

-- payment_wrong: a payment that is not one row, as it was asked for. Payments that others made are theirs.
SELECT count(*), min(coalesce(a.stream_id, r.payment_id))
FROM (SELECT * FROM acknowledged WHERE type = 'payment.requested.v1') AS a
FULL JOIN (
    SELECT r.*
    FROM read_models.payment_status_v1 AS r
    JOIN events AS e
        ON e.partition = 0 AND e.position > %(after)s AND e.stream_id = r.payment_id AND e.version = 1
    WHERE EXISTS (SELECT FROM acknowledged WHERE type = 'payment.requested.v1')
) AS r ON r.payment_id = a.stream_id
WHERE r.amount_units IS DISTINCT FROM a.units;

-- lag: how many events the slowest read model is behind, and for how many seconds the oldest has waited.
SELECT p.head - c.position,
       coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT e.recorded_at FROM events AS e WHERE e.partition = 0 AND e.position = c.position + 1
       )), 0)::float8
FROM partitions AS p,
     (SELECT min(position) AS position FROM projection_checkpoints
      WHERE partition = 0 AND generation = 'live') AS c
WHERE p.partition = 0;

-- checkpoints: how far each live read model has come.
SELECT name, position
FROM projection_checkpoints
WHERE partition = 0 AND generation = 'live';

-- recorded_at: when each of these events was recorded, in seconds since the epoch.
SELECT position, extract(epoch FROM recorded_at)::float8
FROM events
WHERE partition = 0 AND position > %(after)s AND position <= %(until)s
ORDER BY position;

-- detected_at: when each of these payments was first seen to be paid, in seconds since the epoch.
SELECT stream_id, min(extract(epoch FROM recorded_at))::float8
FROM events
WHERE partition = 0 AND stream_id = ANY(%(streams)s) AND type = 'payment.transfer_detected.v1'
GROUP BY stream_id;
