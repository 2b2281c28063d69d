-- One row a rule: an account has at most one. Amounts are units of CREDIT.
CREATE TABLE top_ups_v1 (
    top_up_id           text PRIMARY KEY,
    account_id          text NOT NULL,
    merchant_id         text NOT NULL,
    is_on               boolean NOT NULL,
    threshold_units     numeric(78, 0) NOT NULL,
    target_units        numeric(78, 0),
    amount_units        numeric(78, 0),
    currency            text NOT NULL,
    pay_with            jsonb NOT NULL,        -- [{network, asset}]; none: every way there is
    per_day_max_units   numeric(78, 0),
    per_month_max_units numeric(78, 0),
    cooldown_seconds    integer NOT NULL,
    expires_in_seconds  integer NOT NULL,
    requests            integer NOT NULL DEFAULT 0,
    payment_id          text,                  -- of the open request
    reopened_at         timestamptz,           -- that request had been paid, until the chain took it back
    again_at            timestamptz NOT NULL,  -- none is made before
    refused_code        text,                  -- why the last one could not be made, until one could
    refused_detail      text,
    alarmed_at          timestamptz,           -- the last time
    set_at              timestamptz NOT NULL,
    position            bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX top_ups_v1_armed ON top_ups_v1 (again_at, top_up_id) WHERE is_on AND payment_id IS NULL;
CREATE INDEX top_ups_v1_open ON top_ups_v1 (payment_id) WHERE payment_id IS NOT NULL;

-- One row a request.
CREATE TABLE top_up_requests_v1 (
    payment_id    text PRIMARY KEY,
    top_up_id     text NOT NULL,
    account_id    text NOT NULL,
    merchant_id   text NOT NULL,
    number        integer NOT NULL,
    units         numeric(78, 0) NOT NULL,
    due           jsonb NOT NULL,              -- {asset, decimals, units}
    outcome       text,                        -- paid, expired, canceled, failed, taken_back; null while it is open
    requested_at  timestamptz NOT NULL,
    closed_at     timestamptz,
    position      bigint NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX top_up_requests_v1_by_rule ON top_up_requests_v1 (top_up_id, number);
