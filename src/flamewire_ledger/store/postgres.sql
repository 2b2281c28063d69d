-- partitions_of_ledger: how many partitions the ledger has.
SELECT partitions FROM ledger;

-- append: record a batch of commands if all is as it expects; see migrations/0002_append.sql.
SELECT append_batch(%(partition)b,
    %(c_id)b, %(c_fingerprint)b, %(c_answer)b, %(c_last)b,
    %(s_id)b, %(s_expected)b, %(s_last)b,
    %(e_command_id)b, %(e_stream)b, %(e_version)b, %(e_type)b,
    %(e_merchant)b, %(e_metadata)b, %(e_data)b);

-- append_each: record of a batch of commands what can be, and say why of the others.
SELECT command, found_position, found_fingerprint, found_answer, moved
FROM append_each(%(partition)b,
    %(c_id)b, %(c_fingerprint)b, %(c_answer)b, %(c_events)b, %(c_earlier)b,
    %(s_id)b,
    %(r_command)b, %(r_stream)b, %(r_expected)b, %(r_events)b,
    %(e_command)b, %(e_command_id)b, %(e_stream)b, %(e_version)b, %(e_type)b,
    %(e_merchant)b, %(e_metadata)b, %(e_data)b);

-- begin: start a transaction of several questions, each of which sees what is committed when it is asked. Who keeps the partition waiting in it loses its connection, and with it the turn.
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL idle_in_transaction_session_timeout = '2s';

-- wait_in_line: for the turn at a partition, in the order of asking, which a row's lock does not keep.
SELECT pg_advisory_xact_lock(1953853038, %(partition)b);

-- hold_head: nobody appends to the partition until this transaction ends, not even those who do not stand in line.
SELECT head FROM partitions WHERE partition = %(partition)b FOR NO KEY UPDATE;

-- append_alone: record a batch of commands, each if it can be, as the last of a turn.
SELECT command, found_position, found_fingerprint, found_answer, moved
FROM append_alone(%(partition)b,
    %(c_id)b, %(c_fingerprint)b, %(c_answer)b, %(c_last)b, %(c_events)b, %(c_earlier)b,
    %(s_id)b, %(s_expected)b, %(s_last)b,
    %(r_command)b, %(r_stream)b, %(r_expected)b, %(r_events)b,
    %(e_command)b, %(e_command_id)b, %(e_stream)b, %(e_version)b, %(e_type)b,
    %(e_merchant)b, %(e_metadata)b, %(e_data)b);

-- commit: end the transaction; it is durable then.
COMMIT;

-- rollback: end the transaction as if it had not been.
ROLLBACK;

-- load: the events of each stream behind a version; see migrations/0005_segments.sql.
SELECT position, partition, stream_id, version, type, data, merchant_id, command_id, metadata,
       recorded_at
FROM load_events(%(partition)b, %(streams)b, %(versions)b);

-- load_snapshots: the snapshot of each stream that has one.
SELECT stream_id, version, format, state
FROM snapshots
WHERE partition = %(partition)b AND stream_id = ANY(%(streams)b);

-- save_snapshot: keep a snapshot, unless a newer one is there.
INSERT INTO snapshots AS kept (partition, stream_id, version, format, state)
VALUES (%(partition)s, %(stream_id)s, %(version)s, %(format)s, %(state)b)
ON CONFLICT (partition, stream_id) DO UPDATE
SET version = excluded.version, format = excluded.format, state = excluded.state
WHERE kept.version <= excluded.version;

-- find_commands: what is known of command ids.
SELECT command_id, fingerprint, position, answer
FROM commands
WHERE partition = %(partition)b AND command_id = ANY(%(ids)b);

-- read: events from one position up to another, in order, and behind them two rows without a type that have, as
-- they were at that moment, the position up to which events are archived, and the head.
(SELECT position, partition, stream_id, version, type, data, merchant_id, command_id, metadata,
        recorded_at
 FROM events
 WHERE partition = %(partition)b AND position BETWEEN %(first)b AND %(last)b
 ORDER BY position)
UNION ALL
SELECT bound.position, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM partitions AS p
CROSS JOIN LATERAL (VALUES (p.archived_until), (p.head)) AS bound (position)
WHERE p.partition = %(partition)b;

-- read_stream: events of one stream behind a version, in order; see migrations/0005_segments.sql.
SELECT position, partition, stream_id, version, type, data, merchant_id, command_id, metadata,
       recorded_at
FROM read_stream_events(%(partition)b, %(stream_id)b, %(after)b, %(limit)b);

-- head: the last position of a partition.
SELECT head FROM partitions WHERE partition = %(partition)b;

-- position_at: the last position recorded at or before a time.
SELECT position_before(%(partition)s, %(at)s);

-- listen: be told of every append.
LISTEN flamewire_events;
