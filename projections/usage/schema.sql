-- Usage by the hour it happened in and the hour it was recorded in: what came late is what was recorded after.
-- Whatever a meter's aggregation is, its hours are rows of the same kind; the question puts them together.
CREATE TABLE usage_hours_v1 (
    account_id    text NOT NULL,
    meter_id      text NOT NULL,
    grouped       jsonb NOT NULL,       -- {method: eth_call}
    hour          timestamptz NOT NULL,
    recorded_hour timestamptz NOT NULL,
    merchant_id   text NOT NULL,
    items         bigint NOT NULL,
    sum           numeric,
    minimum       numeric,
    maximum       numeric,
    latest        numeric,
    latest_at     timestamptz,
    position      bigint NOT NULL,
    PRIMARY KEY (account_id, meter_id, hour, recorded_hour, grouped)
) WITH (fillfactor = 80);

-- The values of meters that count how many different ones there are, as hashes.
CREATE TABLE usage_values_v1 (
    account_id    text NOT NULL,
    meter_id      text NOT NULL,
    grouped       jsonb NOT NULL,
    hour          timestamptz NOT NULL,
    value         text NOT NULL,
    recorded_hour timestamptz NOT NULL,
    PRIMARY KEY (account_id, meter_id, hour, value, grouped, recorded_hour)
);

-- The levels of meters that are weighted by time: each holds until the next of its group. Of several at one
-- moment the one that was recorded last counts.
CREATE TABLE usage_samples_v1 (
    account_id    text NOT NULL,
    meter_id      text NOT NULL,
    grouped       jsonb NOT NULL,
    at            timestamptz NOT NULL,
    position      bigint NOT NULL,
    recorded_hour timestamptz NOT NULL,
    level         numeric NOT NULL,
    PRIMARY KEY (account_id, meter_id, at, grouped, position)
);

-- The limits of accounts.
CREATE TABLE usage_limits_v1 (
    account_id  text NOT NULL,
    meter_id    text NOT NULL,
    period      text NOT NULL,          -- day, month
    merchant_id text NOT NULL,
    soft        numeric,
    hard        numeric,
    removed     boolean NOT NULL DEFAULT false,
    set_at      timestamptz NOT NULL,
    position    bigint NOT NULL,
    PRIMARY KEY (account_id, meter_id, period)
);

-- What was said of them.
CREATE TABLE usage_thresholds_v1 (
    account_id   text NOT NULL,
    position     bigint NOT NULL,
    merchant_id  text NOT NULL,
    meter_id     text NOT NULL,
    period       text NOT NULL,
    period_start timestamptz NOT NULL,
    bound        text NOT NULL,         -- soft, hard
    percent      smallint NOT NULL,
    most         numeric NOT NULL,
    used         numeric NOT NULL,
    reached_at   timestamptz NOT NULL,
    PRIMARY KEY (account_id, position)
);
