-- How far each chain was followed, by CAIP-2 id: an alias such as `ethereum` may name a sandbox chain and a real one.
CREATE TABLE followed_chains (
    chain_id         text PRIMARY KEY,
    height           bigint NOT NULL,
    hash             text,             -- null: nothing is known of that block
    reorganisations  bigint NOT NULL,
    moved_at         timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);

-- The newest blocks, as they were seen: what a reorganisation is recognised by.
CREATE TABLE followed_blocks (
    chain_id  text NOT NULL,
    height    bigint NOT NULL,
    hash      text NOT NULL,
    PRIMARY KEY (chain_id, height)
);

-- Transfers that somebody waits for, until they are final and a while longer.
CREATE TABLE followed_transfers (
    chain_id        text NOT NULL,
    transaction_id  text NOT NULL,
    index           bigint NOT NULL,
    network         text NOT NULL,
    address         text NOT NULL,
    asset           text NOT NULL,
    decimals        smallint NOT NULL,
    units           numeric(78, 0) NOT NULL,
    block_height    bigint,            -- null, like the two below: in no block
    block_hash      text,
    block_at        timestamptz,
    seen_at         timestamptz NOT NULL,
    confirmed       boolean NOT NULL,  -- it was reported as final
    missing_since   bigint,            -- the height at which it was first nowhere
    PRIMARY KEY (chain_id, transaction_id, index)
);

-- What was ever paid on a sandbox chain: the chain is a function of this and the time.
CREATE TABLE sandbox_journal (
    chain_id        text NOT NULL,
    sequence        bigint NOT NULL,
    network         text NOT NULL,
    transaction_id  text NOT NULL,
    index           bigint NOT NULL,
    address         text NOT NULL,
    asset           text NOT NULL,
    decimals        smallint NOT NULL,
    units           numeric(78, 0) NOT NULL,
    paid_at         timestamptz NOT NULL,  -- by the sandbox clock
    real_at         timestamptz NOT NULL,
    anchored_at     timestamptz NOT NULL,  -- when the block of height `head` counts as made
    head            bigint NOT NULL,
    is_included     boolean NOT NULL,
    pending_until   bigint NOT NULL,
    removed_at      bigint,                -- the head at which a reorganisation has taken it out
    returns_at      bigint,                -- the block that takes it in again
    PRIMARY KEY (chain_id, sequence)
);
