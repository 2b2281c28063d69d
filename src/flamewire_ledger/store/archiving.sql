-- try_lock: one archiver at a time, whoever starts it; the number means nothing.
SELECT pg_try_advisory_lock(4070617265);

-- unlock: at once, and not when the server finds that the connection has ended.
SELECT pg_advisory_unlock(4070617265);

-- partitions: where each of the ledger's partitions is. The logs of other applications are never archived:
-- nobody knows how far their readers are.
SELECT p.partition, p.head, p.segment_events, p.archived_until
FROM partitions AS p
WHERE p.partition < (SELECT partitions FROM ledger)
ORDER BY p.partition;

-- slowest: who reads the log to keep up with it, and is the furthest behind in a partition. Who only catches up, a
-- rebuild or a relay whose broker was away, reads archives as well as the log.
SELECT reader, position
FROM (
    SELECT 'projection ' || name AS reader, position FROM projection_checkpoints
    WHERE partition = %(partition)s AND generation = 'live'
    UNION ALL
    SELECT 'process ' || name, position FROM process_checkpoints WHERE partition = %(partition)s
) AS readers
ORDER BY position
LIMIT 1;

-- note: write down that a segment is archived; readers look for its events there from now on.
INSERT INTO archives (
    partition, first_position, last_position, first_recorded_at, last_recorded_at, merkle_root,
    manifest, manifest_sha256, directory, bytes)
VALUES (
    %(partition)s, %(first)s, %(last)s, %(first_at)s, %(last_at)s, %(root)s,
    %(manifest)s, %(manifest_sha256)s, %(directory)s, %(bytes)s);

-- move_archived: up to where events are in archives, moved from where it was expected; no row if it was elsewhere.
UPDATE partitions SET archived_until = %(until)s
WHERE partition = %(partition)s AND archived_until = %(expected)s
RETURNING 1;

-- wait_little: within this transaction, rather give up than have others queue up behind a lock that is waited for.
SELECT set_config('lock_timeout', '200ms', true);

-- drop_segment: the table of an archived segment.
SELECT drop_segment(%(partition)s, %(first)s);

-- list: every archive, from the oldest, and whether its segment is still in the database.
SELECT a.partition, a.first_position, a.last_position, a.first_recorded_at, a.last_recorded_at,
       a.merkle_root, a.manifest, a.manifest_sha256, a.directory, a.bytes, a.archived_at,
       to_regclass(format('events_%s_%s', a.partition, a.first_position)) IS NOT NULL AS in_database
FROM archives AS a
ORDER BY a.partition, a.first_position;

-- forget: an archive that was restored.
DELETE FROM archives WHERE partition = %(partition)s AND first_position = %(first)s;

-- create_segment: an empty table for a segment, beside the log.
SELECT create_segment(%(partition)s, %(first)s);

-- attach_segment: make it part of the log.
SELECT attach_segment(%(partition)s, %(first)s, %(last)s);

-- is_attached: whether the table of a segment is there and part of the log.
SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass({name}));

-- streams: where the events of streams are in a segment, by stream and version, behind one of them.
SELECT stream_id, version, position
FROM {segment}
WHERE (stream_id, version) > (%(stream_id)s COLLATE "C", %(version)s)
ORDER BY stream_id, version
LIMIT %(limit)s;

-- drop_unfinished: what a restore that was broken off had made.
DROP TABLE IF EXISTS {segment};

-- within: what the segment holds, said before it is filled.
ALTER TABLE {segment} ADD CONSTRAINT within
CHECK (partition = {partition} AND position BETWEEN {first} AND {last});

-- copy: the events come behind it.
COPY {segment} (position, partition, stream_id, version, type, data, merchant_id, command_id, metadata, recorded_at)
FROM STDIN (FORMAT binary);

-- segment_events: the events of one segment between two positions, in order.
SELECT position, partition, stream_id, version, type, data, merchant_id, command_id, metadata,
       recorded_at
FROM {segment}
WHERE partition = {partition} AND position BETWEEN %(first)s AND %(last)s
ORDER BY position;
