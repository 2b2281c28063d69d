-- One row for each transfer that came to an address of many payments and was none of theirs, whatever became of it.
-- What only the first event of each says is there in every row.
CREATE TABLE unclaimed_transfers_v1 (
    unclaimed_id         text PRIMARY KEY,
    merchant_id          text NOT NULL,       -- in whose books it is held
    chain_id             text,
    network              text NOT NULL,
    transaction_id       text NOT NULL,
    index                bigint NOT NULL,
    address              text NOT NULL,
    mark                 text,                -- what its transaction says
    asset                text NOT NULL,
    decimals             smallint NOT NULL,
    units                numeric(78, 0) NOT NULL,
    status               text NOT NULL,       -- received, confirmed, assigned, refunded, written_off, dropped, reorged
    why                  text,                -- no_mark, unknown_mark, unknown_amount
    confirmations        bigint,              -- when it became final
    block_height         bigint,
    payment_id           text,                -- it was assigned to, the last time
    payment_merchant_id  text,
    reason               text,                -- of the last decision
    seen_at              timestamptz,
    confirmed_at         timestamptz,
    decided_at           timestamptz,
    first_position       bigint NOT NULL,     -- the order of the list
    position             bigint NOT NULL      -- of the last event that changed the row
) WITH (fillfactor = 80);

CREATE INDEX unclaimed_transfers_v1_by_merchant ON unclaimed_transfers_v1 (merchant_id, first_position);
CREATE INDEX unclaimed_transfers_v1_waiting ON unclaimed_transfers_v1 (chain_id)
    WHERE status IN ('received', 'confirmed');
