-- Up to where each process has seen the events of each partition, and all that follows from them is recorded.
CREATE TABLE process_checkpoints (
    name       text NOT NULL,
    partition  integer NOT NULL,
    position   bigint NOT NULL,
    moved_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, partition)
) WITH (fillfactor = 20);
