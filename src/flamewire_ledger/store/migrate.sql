-- lock: one migration at a time, whoever starts it; the number means nothing.
SELECT pg_advisory_lock(4070617264);

-- create_table: where it is written down what ran.
CREATE TABLE IF NOT EXISTS migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- table_exists: whether any migration ever ran here.
SELECT to_regclass('migrations') IS NOT NULL;

-- applied: what ran, in order.
SELECT number, name, sha256 FROM migrations ORDER BY number;

-- record: write down that one ran.
INSERT INTO migrations (number, name, sha256) VALUES (%(number)s, %(name)s, %(sha256)s);

-- create_partitions: make the ledger's partitions, once.
SELECT create_partitions(%(partitions)s, %(segment_events)s);

-- make_room_ahead: see that each partition has room for what comes.
SELECT make_room_ahead();
