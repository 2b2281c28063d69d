-- One row a price lock, with every quote it was made from.
CREATE TABLE price_locks_v1 (
    lock_id         text NOT NULL,
    merchant_id     text NOT NULL,
    status          text NOT NULL,      -- locked, used, expired
    base            text NOT NULL,
    base_decimals   smallint NOT NULL,
    quote           text NOT NULL,
    quote_decimals  smallint NOT NULL,
    price           numeric NOT NULL,   -- what one major unit of base is worth in major units of quote
    quotes          jsonb NOT NULL,     -- [{source, price, quoted_at, dropped}]
    pricing         jsonb,              -- how the price came out of the quotes; null: agreed on by hand
    payment_id      text,
    locked_at       timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    expired_at      timestamptz,
    position        bigint NOT NULL,
    PRIMARY KEY (merchant_id, lock_id)  -- also the order of the list: ids sort by the time they were made
) WITH (fillfactor = 80);

CREATE INDEX price_locks_v1_waiting ON price_locks_v1 (expires_at, lock_id) WHERE status = 'locked';
