-- What the ledger keeps beside its events because it can be found again or is no fact: the sandbox's
-- clock, the next deposit address, and how far each chain was followed.

-- Seconds the sandbox runs ahead of the real clock.
CREATE TABLE sandbox_clock (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    offset_seconds bigint NOT NULL DEFAULT 0
);
INSERT INTO sandbox_clock DEFAULT VALUES;

-- The next index of a network's deposit addresses. Blocks of them are handed out; none is given twice.
CREATE TABLE deposit_indexes (
    network text PRIMARY KEY,
    next    bigint NOT NULL CHECK (next >= 0)
) WITH (fillfactor = 50);

-- How far a network was followed.
CREATE TABLE chain_cursors (
    network          text PRIMARY KEY,
    height           bigint NOT NULL,
    hash             text NOT NULL,
    latest_height    bigint NOT NULL,
    finalized_height bigint NOT NULL,
    updated_at       timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The blocks that are not final yet, as they were seen: what a reorganisation is recognised by.
CREATE TABLE chain_blocks (
    network     text NOT NULL,
    height      bigint NOT NULL,
    hash        text NOT NULL,
    parent_hash text NOT NULL,
    block_at    timestamptz NOT NULL,
    PRIMARY KEY (network, height)
);

-- The transfers to our addresses that are not final yet.
CREATE TABLE chain_transfers (
    network        text NOT NULL,
    transaction_id text NOT NULL,
    transfer_index integer NOT NULL,
    address        text NOT NULL,
    asset          text NOT NULL,
    decimals       integer NOT NULL,
    units          numeric(78, 0) NOT NULL,
    block_height   bigint,
    block_hash     text,
    block_at       timestamptz,
    seen_at        timestamptz NOT NULL,
    status         text NOT NULL,
    payment_id     text NOT NULL,
    merchant_id    text NOT NULL,
    PRIMARY KEY (network, transaction_id, transfer_index)
);
