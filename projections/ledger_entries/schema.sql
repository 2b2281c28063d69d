-- One row a posting: so many units of an asset from the account it credits to the account it debits.
CREATE TABLE ledger_entries_v1 (
    merchant_id  text NOT NULL,
    position     bigint NOT NULL,
    line         smallint NOT NULL,   -- 1, 2, 3 … within the event
    debit        text NOT NULL,
    credit       text NOT NULL,
    asset        text NOT NULL,
    decimals     smallint NOT NULL,
    units        numeric(78, 0) NOT NULL,
    stream_id    text NOT NULL,
    type         text NOT NULL,       -- of the event
    at           timestamptz NOT NULL,   -- when it happened, by the clock its merchant lives by; of what a chain brought, its block
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, position, line)
);

CREATE INDEX ledger_entries_v1_by_debit ON ledger_entries_v1 (merchant_id, debit, position);
CREATE INDEX ledger_entries_v1_by_credit ON ledger_entries_v1 (merchant_id, credit, position);
-- Of what has a price: whoever follows the money of a stream does not read what credits did.
CREATE INDEX ledger_entries_v1_by_stream ON ledger_entries_v1 (merchant_id, stream_id, position) WHERE asset <> 'CREDIT';
