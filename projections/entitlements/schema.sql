-- What is granted, by whom; what was taken away stays as a row that says so.
CREATE TABLE entitlement_grants_v1 (
    account_id  text NOT NULL,
    feature     text NOT NULL,
    source      text NOT NULL,          -- direct, plan:…
    merchant_id text NOT NULL,
    kind        text,                   -- flag, quantity, credits
    meter_id    text,
    most        numeric,
    period      text,                   -- day, month
    revoked     boolean NOT NULL,
    position    bigint NOT NULL,
    PRIMARY KEY (account_id, feature, source)
);

-- What was used by day, of meters that add up.
CREATE TABLE entitlement_use_v1 (
    account_id  text NOT NULL,
    meter_id    text NOT NULL,
    day         date NOT NULL,
    used        numeric NOT NULL,
    position    bigint NOT NULL,
    PRIMARY KEY (account_id, meter_id, day)
) WITH (fillfactor = 80);
