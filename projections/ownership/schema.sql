-- One row a challenge. When it was met it is a registered address, and has a slot: of the addresses in one slot the
-- newest counts. A payment intent or credit account has one for refunds on each network, and one for each sender.
CREATE TABLE ownerships_v1 (
    ownership_id   text NOT NULL,
    merchant_id    text NOT NULL,
    purpose        text NOT NULL,      -- refund, sender
    payment_id     text,
    account_id     text,
    network        text NOT NULL,
    chain_id       text NOT NULL,      -- CAIP-2
    address        text NOT NULL,
    issued_at      timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    scheme         text,
    slot           text,
    registered     bigint,             -- the position at which it was
    registered_at  timestamptz,
    revoked_at     timestamptz,
    position       bigint NOT NULL,
    PRIMARY KEY (merchant_id, ownership_id)
);

CREATE INDEX ownerships_v1_by_slot ON ownerships_v1 (merchant_id, slot, registered) WHERE registered IS NOT NULL;
CREATE INDEX ownerships_v1_by_payment ON ownerships_v1 (merchant_id, payment_id) WHERE registered IS NOT NULL;
CREATE INDEX ownerships_v1_by_account ON ownerships_v1 (merchant_id, account_id) WHERE registered IS NOT NULL;
CREATE INDEX ownerships_v1_by_address ON ownerships_v1 (merchant_id, chain_id, address) WHERE registered IS NOT NULL;
