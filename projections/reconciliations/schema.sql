-- One row a run.
CREATE TABLE reconciliations_v1 (
    reconciliation_id  text PRIMARY KEY,
    merchant_id        text NOT NULL,
    network            text NOT NULL,
    chain_id           text NOT NULL,
    first_height       bigint NOT NULL,
    height             bigint NOT NULL,
    drift              boolean NOT NULL,   -- of any asset
    found              bigint NOT NULL,
    opened             bigint NOT NULL,
    settled            bigint NOT NULL,
    completed          jsonb NOT NULL,     -- the event
    completed_at       timestamptz NOT NULL,
    position           bigint NOT NULL
);

CREATE INDEX reconciliations_v1_by_merchant ON reconciliations_v1 (merchant_id, chain_id, position);

-- One row an exception, open until it is resolved.
CREATE TABLE reconciliation_exceptions_v1 (
    exception_id        text PRIMARY KEY,
    reconciliation_id   text NOT NULL,
    merchant_id         text NOT NULL,
    network             text NOT NULL,
    chain_id            text NOT NULL,
    kind                text NOT NULL,
    subject             text NOT NULL,
    since               timestamptz NOT NULL,
    opened              jsonb NOT NULL,    -- the event
    opened_at           timestamptz NOT NULL,
    settled             text,              -- posted_automatically, posted_manually, forced, ignored
    reason              text,
    resolved_at         timestamptz,
    resolved_position   bigint,
    position            bigint NOT NULL    -- where it was opened
);

CREATE INDEX reconciliation_exceptions_v1_by_merchant ON reconciliation_exceptions_v1 (merchant_id, chain_id, position);
