-- What the ledger keeps beside its events because it can be found again or is no fact: the sandbox's
-- clock, the next deposit address, and how far each chain was followed.

-- Seconds the sandbox runs ahead of the real clock.
CREATE TABLE sandbox_clock (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    offset_seconds bigint NOT NULL DEFAULT 0
);
INSERT INTO sandbox_clock DEFAULT VALUES;

-- The next index of a chain's deposit addresses, and when the first was taken: from then on transfers
-- may come. Blocks of them are handed out; none is given twice.
CREATE TABLE deposit_indexes (
    chain_id text PRIMARY KEY,
    next     bigint NOT NULL CHECK (next >= 0),
    since    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- How far a chain was followed. Its columns are the rows of chains/progress.py.
CREATE TABLE chain_cursors (
    chain_id   text PRIMARY KEY,
    height     bigint NOT NULL,
    hash       text,
    epoch      bigint NOT NULL,  -- reorganisations so far
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- The newest blocks as they were seen: what a reorganisation is recognised by.
CREATE TABLE chain_blocks (
    chain_id text NOT NULL,
    height   bigint NOT NULL,
    hash     text NOT NULL,
    PRIMARY KEY (chain_id, height)
);

-- The transfers to our addresses that somebody waits for.
CREATE TABLE chain_transfers (
    chain_id       text NOT NULL,
    network        text NOT NULL,
    transaction_id text NOT NULL,
    transfer_index integer NOT NULL,
    address        text NOT NULL,
    asset          text NOT NULL,
    decimals       integer NOT NULL,
    units          numeric(78, 0) NOT NULL,
    mark           text,
    block_height   bigint,
    block_hash     text,
    block_at       timestamptz,
    seen_at        timestamptz NOT NULL,
    is_confirmed   boolean NOT NULL,
    missing_since  bigint,  -- the height at which it was first in no block and not pending
    PRIMARY KEY (chain_id, transaction_id, transfer_index)
);

-- What was ever paid on a sandbox chain. Its columns are the rows of chains/sandbox/journal.py.
CREATE TABLE sandbox_transfers (
    chain_id       text NOT NULL,
    sequence       integer NOT NULL,
    network        text NOT NULL,
    transaction_id text NOT NULL,
    transfer_index integer NOT NULL,
    address        text NOT NULL,
    asset          text NOT NULL,
    decimals       integer NOT NULL,
    units          numeric(78, 0) NOT NULL,
    mark           text,
    paid_at        timestamptz NOT NULL,
    real_at        timestamptz NOT NULL,
    anchored_at    timestamptz NOT NULL,
    head           bigint NOT NULL,
    is_included    boolean NOT NULL,
    pending_until  bigint NOT NULL,
    removed_at     bigint,
    returns_at     bigint,
    PRIMARY KEY (chain_id, sequence)
);
