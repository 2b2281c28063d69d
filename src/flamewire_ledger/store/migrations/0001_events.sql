-- The log: events in partitions with gapless positions, and what an append has to know to extend it.

-- How many partitions the ledger has. Merchants are spread over them by a hash, so the number never changes.
CREATE TABLE ledger (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    partitions integer NOT NULL CHECK (partitions > 0)
);

-- The head of each partition. Whoever appends moves it first, and so has the partition to itself until the
-- commit: that makes positions gapless and their order the order of the commits.
CREATE TABLE partitions (
    partition   integer PRIMARY KEY,
    head        bigint NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL DEFAULT '-infinity'
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
    PRIMARY KEY (partition, position),
    UNIQUE (partition, stream_id, version)
) PARTITION BY LIST (partition);

-- The version of each stream: what an append expects is checked here, not in the log.
CREATE TABLE streams (
    partition integer NOT NULL,
    version   integer NOT NULL,
    stream_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (partition, stream_id)
) WITH (fillfactor = 70);

-- Every command that was recorded, under its id. The answer is given back when the command comes again.
CREATE TABLE commands (
    command_id  uuid NOT NULL,
    position    bigint NOT NULL,
    partition   integer NOT NULL,
    fingerprint bytea NOT NULL,
    answer      bytea,
    PRIMARY KEY (partition, command_id)
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

-- Make a partition: its head, and its part of the events. It is attached rather than created in place,
-- because that does not wait for those who read and append meanwhile, nor they for it.
CREATE OR REPLACE FUNCTION create_partition(new_partition integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE events_%s (LIKE events INCLUDING ALL)', new_partition);
    EXECUTE format(
        'ALTER TABLE events ATTACH PARTITION events_%s FOR VALUES IN (%s)',
        new_partition, new_partition
    );
    INSERT INTO partitions (partition) VALUES (new_partition);
END $$;

-- Make the ledger's partitions, once: a ledger that has some keeps them.
CREATE OR REPLACE FUNCTION create_partitions(wanted integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger (partitions) VALUES (wanted) ON CONFLICT DO NOTHING;
    PERFORM create_partition(number)
    FROM generate_series(0, (SELECT partitions - 1 FROM ledger)) AS number
    WHERE number NOT IN (SELECT partition FROM partitions);
    RETURN (SELECT partitions FROM ledger);
END $$;
