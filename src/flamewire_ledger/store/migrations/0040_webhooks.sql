-- What the ledger keeps of webhooks beside its events: secrets, sealed; and what is to be delivered, was, or could not
-- be. Messages are made of events, and could be made again; deliveries are of the world outside.

-- Secrets of endpoints, each sealed under a key that is not in the database (security/sealing.py).
CREATE TABLE webhook_secrets (
    secret_id   text COLLATE "C" PRIMARY KEY,
    sealed      bytea NOT NULL,
    kept_at     timestamptz NOT NULL DEFAULT now(),
    until       timestamptz  -- it signs nothing from then on
);
CREATE INDEX webhook_secrets_until ON webhook_secrets (until) WHERE until IS NOT NULL;

-- What is sent, to the byte: the same whenever it is sent.
CREATE TABLE webhook_messages (
    message_id   text COLLATE "C" PRIMARY KEY,
    merchant_id  text COLLATE "C" NOT NULL,
    type         text NOT NULL,
    stream_id    text COLLATE "C" NOT NULL,
    position     bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    body         bytea NOT NULL
);

-- One row a message and endpoint, and another for each time it is asked for again. It waits for as long as again_at says when
-- it is tried; whoever tries it puts that off first, so that nobody else does.
CREATE TABLE webhook_deliveries (
    delivery_id  text COLLATE "C" PRIMARY KEY,
    number       bigint GENERATED ALWAYS AS IDENTITY,  -- in the order of the log, for each endpoint and stream
    partition    integer NOT NULL,
    endpoint_id  text COLLATE "C" NOT NULL,
    merchant_id  text COLLATE "C" NOT NULL,
    message_id   text COLLATE "C" NOT NULL REFERENCES webhook_messages,
    stream_id    text COLLATE "C" NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('event', 'replay', 'test')),
    replay_id    text,
    status       text NOT NULL CHECK (status IN ('pending', 'delivered', 'failed', 'canceled')),
    attempts     integer NOT NULL DEFAULT 0,
    again_at     timestamptz CHECK ((status = 'pending') = (again_at IS NOT NULL)),
    is_taken     boolean NOT NULL DEFAULT false,  -- somebody tries it now
    made_at      timestamptz NOT NULL,
    ended_at     timestamptz
) WITH (fillfactor = 80);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (partition, endpoint_id, again_at, number) WHERE again_at IS NOT NULL;
CREATE INDEX webhook_deliveries_in_order ON webhook_deliveries (endpoint_id, stream_id, number) WHERE again_at IS NOT NULL;
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, number);
CREATE INDEX webhook_deliveries_of_message ON webhook_deliveries (message_id, endpoint_id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (partition, ended_at) WHERE again_at IS NULL;

-- Every attempt, and what was answered.
CREATE TABLE webhook_attempts (
    delivery_id  text COLLATE "C" NOT NULL REFERENCES webhook_deliveries ON DELETE CASCADE,
    number       integer NOT NULL,  -- 1, 2, 3 …
    at           timestamptz NOT NULL,
    duration_ms  integer NOT NULL,
    status_code  integer,           -- none where nothing was answered
    error        text,              -- why
    body         text,              -- the beginning of what was answered
    PRIMARY KEY (delivery_id, number)
);

-- How an endpoint does: since when everything fails, if it does.
CREATE TABLE webhook_standings (
    endpoint_id    text COLLATE "C" PRIMARY KEY,
    failing_since  timestamptz,
    succeeded_at   timestamptz,
    failed_at      timestamptz
) WITH (fillfactor = 50);

-- Replays that are not all queued yet: as far as `after` they are.
CREATE TABLE webhook_replays (
    replay_id         text COLLATE "C" PRIMARY KEY,
    partition         integer NOT NULL,
    endpoint_id       text COLLATE "C" NOT NULL,
    merchant_id       text COLLATE "C" NOT NULL,
    after             bigint NOT NULL,
    until             bigint NOT NULL,
    undelivered_only  boolean NOT NULL,
    requested_at      timestamptz NOT NULL
);
