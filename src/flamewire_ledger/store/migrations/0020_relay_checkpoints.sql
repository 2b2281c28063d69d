-- Up to where the broker has confirmed each partition's events. The relay that works on a partition holds an advisory lock,
-- not this row: a row lock would be a transaction that never ends.
CREATE TABLE relay_checkpoints (
    partition  integer PRIMARY KEY,
    position   bigint NOT NULL,
    moved_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);
