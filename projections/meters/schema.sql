-- One row a meter. `definition` is the event as it was recorded: what counts is decided by it.
CREATE TABLE meters_v1 (
    meter_id        text PRIMARY KEY,
    merchant_id     text NOT NULL,
    event_type      text NOT NULL,
    aggregation     text NOT NULL,
    definition      jsonb NOT NULL,
    defined_at      timestamptz NOT NULL,
    archived_at     timestamptz,
    position        bigint NOT NULL
);

CREATE INDEX meters_v1_by_merchant ON meters_v1 (merchant_id, meter_id);
