-- One row a payment. Amounts are base units; 78 digits hold any 256-bit integer. Those without an asset beside them
-- are in the currency of the request.
CREATE TABLE payment_status_v1 (
    payment_id         text PRIMARY KEY,
    merchant_id        text NOT NULL,
    status             text NOT NULL,
    why                text,                       -- what a person is asked about, while status is requires_action
    held               jsonb,                      -- and the amounts it is about: [{asset, decimals, units}]
    labels             text[] NOT NULL DEFAULT '{}', -- sorted; only ever added to
    currency           text NOT NULL,
    decimals           smallint NOT NULL,
    amount_units       numeric(78, 0) NOT NULL,
    detected_units     numeric(78, 0) NOT NULL DEFAULT 0,
    confirmed_units    numeric(78, 0) NOT NULL DEFAULT 0,
    excess_units       numeric(78, 0) NOT NULL DEFAULT 0,
    due_units          numeric(78, 0) NOT NULL,
    options            jsonb NOT NULL,             -- [{network, chain_id, asset_id, due: amount, address, uri, price_lock_id, derivation, identified_by, memo, mark}]
    credits            jsonb,                      -- what a full payment buys: {asset, decimals, units}
    credit_account_id  text,
    reference          text,
    metadata           jsonb NOT NULL,
    tolerance_ppm      integer NOT NULL,
    transaction_id     text,                       -- of the transfer that completed it
    resolution         text,                       -- the last choice a person made, and the reason given
    resolution_reason  text,
    refund_to          jsonb NOT NULL DEFAULT '[]', -- of the last refund: [{network, chain_id, address, ownership_id}]
    invoice_id         text,                       -- that it is to pay
    requested_at       timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    succeeded_at       timestamptz,                -- the last time it did; a reorganisation may have undone it
    ended_at           timestamptz,                -- expired or canceled
    position           bigint NOT NULL             -- of the last event that changed the row
) WITH (fillfactor = 70);

-- Ids sort by the time they were made, so this is also the order of the list.
CREATE INDEX payment_status_v1_by_merchant ON payment_status_v1 (merchant_id, payment_id);
CREATE INDEX payment_status_v1_waiting ON payment_status_v1 (expires_at, payment_id)
    WHERE status IN ('requires_payment', 'processing');

-- One row for each transfer that touched a payment, whatever became of it.
CREATE TABLE payment_transfers_v1 (
    payment_id      text NOT NULL,
    network         text NOT NULL,
    transaction_id  text NOT NULL,
    index           bigint NOT NULL,
    merchant_id     text NOT NULL,
    address         text NOT NULL,
    asset           text NOT NULL,
    decimals        smallint NOT NULL,
    units           numeric(78, 0) NOT NULL,
    status          text NOT NULL,       -- detected, included, confirmed, dropped, reorged
    standing        text,                -- what it is to the payment: in_time, honoured, repriced, late, wrong_asset …
    confirmations   bigint NOT NULL,     -- when it became final; 0 before
    block_height    bigint,
    block_hash      text,
    block_at        timestamptz,
    worth_units     numeric(78, 0),      -- when it was confirmed, in the currency of the request
    seen_at         timestamptz,         -- the first time
    confirmed_at    timestamptz,
    first_position  bigint NOT NULL,
    position        bigint NOT NULL,
    PRIMARY KEY (payment_id, network, transaction_id, index)
) WITH (fillfactor = 80);
