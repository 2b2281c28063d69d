-- One row for each way to pay each payment. Rows stay: money that comes a year late still has an owner. An address that a
-- merchant gave as its own recipient can belong to many payments.
CREATE TABLE deposit_addresses_v1 (
    network        text NOT NULL,
    address        text NOT NULL,
    payment_id     text NOT NULL,
    asset          text NOT NULL,
    merchant_id    text NOT NULL,
    decimals       smallint NOT NULL,
    due_units      numeric(78, 0) NOT NULL,
    price_lock_id  text,
    derivation     text,
    identified_by  text NOT NULL,   -- address; or mark, amount: many payments have the address
    mark           text,
    requested_at   timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    position       bigint NOT NULL,
    PRIMARY KEY (network, address, payment_id, asset)
);

-- Small: most payments have an address of their own.
CREATE INDEX deposit_addresses_v1_by_mark ON deposit_addresses_v1 (network, address, mark)
    WHERE identified_by = 'mark';
CREATE INDEX deposit_addresses_v1_by_amount ON deposit_addresses_v1 (network, address, asset, due_units, requested_at)
    WHERE identified_by = 'amount';

CREATE INDEX deposit_addresses_v1_by_position ON deposit_addresses_v1 (network, position);
