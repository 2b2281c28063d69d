-- One row an event, of every type, without what it says: that is in the event.
CREATE TABLE audit_trail_v1 (
    merchant_id     text NOT NULL,
    position        bigint NOT NULL,
    stream_id       text NOT NULL,
    version         bigint NOT NULL,
    type            text NOT NULL,
    actor           text,          -- key:…, process:…, watcher:…, cli
    command_id      uuid NOT NULL,
    causation_id    text,
    correlation_id  text,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, position)
);

CREATE INDEX audit_trail_v1_by_stream ON audit_trail_v1 (stream_id, position);
