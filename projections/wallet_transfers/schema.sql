-- One row each time a transfer moved a wallet: in when it was confirmed, out when the chain took it back or when another
-- stream took it over.
CREATE TABLE wallet_transfers_v1 (
    network         text NOT NULL,
    transaction_id  text NOT NULL,
    index           bigint NOT NULL,
    merchant_id     text NOT NULL,
    position        bigint NOT NULL,
    stream_id       text NOT NULL,
    address         text NOT NULL,
    asset           text NOT NULL,
    decimals        smallint NOT NULL,
    units           numeric(78, 0) NOT NULL,   -- negative: out
    height          bigint,                    -- of the block, where the event names one
    block_hash      text,
    at              timestamptz NOT NULL,      -- of the block, else when it happened
    PRIMARY KEY (network, transaction_id, index, merchant_id, position)
);

CREATE INDEX wallet_transfers_v1_by_height ON wallet_transfers_v1 (network, height);
CREATE INDEX wallet_transfers_v1_by_merchant ON wallet_transfers_v1 (merchant_id, network);
