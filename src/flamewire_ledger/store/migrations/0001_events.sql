-- The log: events in partitions with gapless positions, and what an append has to know to extend it.

-- How many partitions the ledger has, and how many events go into a segment of one. Merchants are spread
-- over partitions by a hash, and segments are numbered through, so neither number ever changes. A segment is
-- a power of two of events: then the root of its Merkle tree is a node of the tree of the whole log.
CREATE TABLE ledger (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    partitions     integer NOT NULL CHECK (partitions > 0),
    segment_events bigint NOT NULL DEFAULT 4194304
        CHECK (segment_events > 0 AND segment_events & (segment_events - 1) = 0)
);

-- The head of each partition. Whoever appends moves it first, and so has the partition to itself until the
-- commit: that makes positions gapless and their order the order of the commits.
CREATE TABLE partitions (
    partition      integer PRIMARY KEY,
    head           bigint NOT NULL DEFAULT 0,
    recorded_at    timestamptz NOT NULL DEFAULT '-infinity',
    segment_events bigint NOT NULL,
    room_until     bigint NOT NULL DEFAULT 0,  -- the last position for which there is a segment
    archived_until bigint NOT NULL DEFAULT 0   -- up to here, events are read from archives
) WITH (fillfactor = 10);

CREATE TABLE events (
    position    bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    partition   integer NOT NULL,
    version     integer NOT NULL,
    command_id  uuid NOT NULL,
    stream_id   text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    metadata    bytea NOT NULL,  -- JSON: actor, causation_id, correlation_id
    data        bytea NOT NULL,  -- JSON, kept to the byte as it was appended
    PRIMARY KEY (partition, position)
) PARTITION BY LIST (partition);

-- The version of each stream: what an append expects is checked here, not in the log. That is also what
-- makes versions unique: an append moves this row under the lock of the partition's head, or is a
-- conflict. An index can say so within one segment only, and does.
-- All of a stream's events are between the two positions: whoever looks for them knows which segments to
-- look in. They are those of the batches the first and the last came with, so they may lie a little wide.
CREATE TABLE streams (
    partition      integer NOT NULL,
    version        integer NOT NULL,
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL,
    stream_id      text COLLATE "C" NOT NULL,
    PRIMARY KEY (stream_id, partition)
) WITH (fillfactor = 70);

-- Every command that was recorded, under its id. The answer is given back when the command comes again.
CREATE TABLE commands (
    command_id  uuid NOT NULL,
    position    bigint NOT NULL,
    partition   integer NOT NULL,
    fingerprint bytea NOT NULL,
    answer      bytea,
    PRIMARY KEY (command_id, partition)  -- what differs comes first: half as much to compare
);

-- Folded states, so that a long stream need not be read from its start. They may be deleted at any time.
CREATE TABLE snapshots (
    partition integer NOT NULL,
    version   integer NOT NULL,
    stream_id text COLLATE "C" NOT NULL,
    format    text NOT NULL,
    state     bytea NOT NULL,
    PRIMARY KEY (partition, stream_id)
);

-- Make a partition: its head, its part of the events, and the first segment of that.
CREATE OR REPLACE FUNCTION create_partition(new_partition integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TABLE events_%s (LIKE events INCLUDING ALL) PARTITION BY RANGE (position)',
        new_partition
    );
    EXECUTE format(
        'ALTER TABLE events ATTACH PARTITION events_%s FOR VALUES IN (%s)',
        new_partition, new_partition
    );
    INSERT INTO partitions (partition, segment_events)
    SELECT new_partition, coalesce((SELECT segment_events FROM ledger), 4194304);
    PERFORM make_room(new_partition, 1);
END $$;

-- make_room: segments up to that of a position, if they are missing; how many were. It takes the lock of the
-- partition's head, so no two make the same one. A segment is attached rather than created in place, because
-- that does not wait for those who read and append meanwhile, nor they for it.
-- A session learns of a segment when it next waits for a lock, a moment after the commit that made it; so
-- `room_until` counts only what was there before, and was seen under the lock that its making held to its end.
CREATE OR REPLACE FUNCTION make_room(in_partition integer, until bigint) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    room bigint;
    size bigint;
    settled bigint;
    made integer := 0;
BEGIN
    SELECT room_until, room_until, segment_events INTO STRICT room, settled, size
    FROM partitions WHERE partition = in_partition FOR NO KEY UPDATE;
    IF room >= until THEN
        RETURN 0;
    END IF;
    EXECUTE format('LOCK TABLE events_%s IN SHARE UPDATE EXCLUSIVE MODE', in_partition);
    WHILE room < until LOOP
        IF to_regclass(format('events_%s_%s', in_partition, room + 1)) IS NULL THEN
            PERFORM create_segment(in_partition, room + 1);
            EXECUTE format(
                'ALTER TABLE events_%s ATTACH PARTITION events_%s_%s FOR VALUES FROM (%s) TO (%s)',
                in_partition, in_partition, room + 1, room + 1, room + size + 1
            );
            made := made + 1;
        ELSIF made = 0 THEN
            settled := room + size;
        END IF;
        room := room + size;
    END LOOP;
    UPDATE partitions SET room_until = settled
    WHERE partition = in_partition AND room_until < settled;
    RETURN made;
END $$;

-- create_segment: the table of a segment, on its own; it is named after its first position.
CREATE OR REPLACE FUNCTION create_segment(in_partition integer, first_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TABLE events_%s_%s (LIKE events INCLUDING ALL, UNIQUE (stream_id, version))',
        in_partition, first_position
    );
END $$;

-- make_room_ahead: the segment behind the one that is being filled, in each partition that lacks it; how many
-- were made. It is asked again and again, and appends do it themselves when nobody did.
CREATE OR REPLACE FUNCTION make_room_ahead() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    RETURN coalesce((
        SELECT sum(make_room(p.partition, p.head + p.segment_events))
        FROM partitions AS p
        WHERE p.room_until < p.head + p.segment_events
    ), 0);
END $$;

-- Make the ledger's partitions, once: a ledger that has some keeps them, and the size of their segments.
CREATE OR REPLACE FUNCTION create_partitions(wanted integer, events_a_segment bigint DEFAULT 4194304)
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger (partitions, segment_events) VALUES (wanted, events_a_segment)
    ON CONFLICT DO NOTHING;
    PERFORM create_partition(number)
    FROM generate_series(0, (SELECT partitions - 1 FROM ledger)) AS number
    WHERE number NOT IN (SELECT partition FROM partitions);
    RETURN (SELECT partitions FROM ledger);
END $$;
