-- What the projector knows of itself. The read models' own tables are made from the folders in projections/.

-- The live generation of every read model.
CREATE SCHEMA read_models;

-- Which definition the live tables of a projection were built by.
CREATE TABLE projections (
    name         text PRIMARY KEY,
    version      integer NOT NULL,
    fingerprint  text NOT NULL,        -- of its events, schema.sql and project.sql
    tables       text[] NOT NULL,
    built_at     timestamptz NOT NULL DEFAULT now()
);

-- How far each generation of a projection has come. A row is locked while its rows are written, and moves with them.
CREATE TABLE projection_checkpoints (
    name        text NOT NULL,
    generation  text NOT NULL CHECK (generation IN ('live', 'next', 'diff')),
    partition   integer NOT NULL,
    position    bigint NOT NULL,
    moved_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, generation, partition)
) WITH (fillfactor = 20);

-- Events that could not be handled, and behind each those of its key that wait for it (they have no cause).
-- What a person discarded stays here: a rebuild leaves it out as well.
CREATE TABLE dead_letters (
    id            bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    consumer      text NOT NULL,       -- projection:payment_status, process:…
    generation    text NOT NULL DEFAULT 'live',
    partition     integer NOT NULL,
    position      bigint NOT NULL,
    key           text NOT NULL,
    stream_id     text NOT NULL,
    type          text NOT NULL,
    cause         text,
    attempts      integer NOT NULL DEFAULT 0,
    parked_at     timestamptz NOT NULL DEFAULT now(),
    tried_at      timestamptz,
    discarded_at  timestamptz,
    PRIMARY KEY (consumer, generation, partition, position)
);

CREATE INDEX dead_letters_by_key ON dead_letters (consumer, generation, partition, key, position);
