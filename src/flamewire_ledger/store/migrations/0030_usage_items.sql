-- Items of usage: kept beside the log, which has what they add up to and the root of a Merkle tree over them.

-- One row an item that was taken, under the hash of (merchant, source, id): that is what makes it count once.
CREATE TABLE usage_items (
    key      uuid PRIMARY KEY,  -- half of a SHA-256; two that are the same were made so by their own merchant
    batch_id uuid NOT NULL,
    seq      integer NOT NULL   -- which of the batch's items
);

-- Batches with their items as they were sent. A batch is claimed with its items, in one transaction; it is
-- recorded when the log has it, under a command id made of the batch's. Who dies in between leaves a batch
-- without a position, and whoever comes next records it.
CREATE TABLE usage_batches (
    batch_id    uuid PRIMARY KEY,
    merchant_id text COLLATE "C" NOT NULL,
    account_id  text COLLATE "C" NOT NULL,
    claimed_at  timestamptz NOT NULL,       -- by the merchant's clock
    stored_at   timestamptz NOT NULL DEFAULT now(),
    meter_ids   text[] NOT NULL,            -- those that counted when it came
    items       bytea NOT NULL,             -- MessagePack of the items' bytes, as a zstd frame
    taken       integer[] NOT NULL,         -- which of them are this batch's; the others were there before
    position    bigint                      -- of usage.recorded; 0 when all of it was refused
);
ALTER TABLE usage_batches ALTER COLUMN items SET STORAGE EXTERNAL;  -- it is compressed already
CREATE INDEX usage_batches_unfinished ON usage_batches (stored_at) WHERE position IS NULL;
