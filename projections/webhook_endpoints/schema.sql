-- One row an endpoint, until it is deleted. Its secret is not here.
CREATE TABLE webhook_endpoints_v1 (
    endpoint_id       text PRIMARY KEY,
    merchant_id       text NOT NULL,
    url               text NOT NULL,
    event_types       text[] NOT NULL,
    description       text,
    livemode          boolean NOT NULL,
    is_enabled        boolean NOT NULL DEFAULT true,
    disabled_because  text,         -- asked, gone, failing
    disabled_detail   text,
    disabled_at       timestamptz,
    previous_until    timestamptz,  -- until then secrets before the last sign as well
    created_at        timestamptz NOT NULL,
    position          bigint NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX webhook_endpoints_v1_by_merchant ON webhook_endpoints_v1 (merchant_id, endpoint_id);
