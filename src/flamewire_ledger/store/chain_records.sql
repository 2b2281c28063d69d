-- cursor: how far a chain was followed.
SELECT height, hash, epoch FROM chain_cursors WHERE chain_id = %(chain_id)s;

-- blocks: the blocks of a chain that are remembered, from the lowest.
SELECT height, hash FROM chain_blocks WHERE chain_id = %(chain_id)s ORDER BY height;

-- transfers: the transfers on a chain that are waited for.
SELECT network, transaction_id, transfer_index, address, asset, decimals, units, mark,
       block_height, block_hash, block_at, seen_at, is_confirmed, missing_since
FROM chain_transfers
WHERE chain_id = %(chain_id)s
ORDER BY seen_at, transaction_id, transfer_index;

-- put_transfer: insert or replace a transfer.
INSERT INTO chain_transfers (
    chain_id, network, transaction_id, transfer_index, address, asset, decimals, units, mark,
    block_height, block_hash, block_at, seen_at, is_confirmed, missing_since)
VALUES (
    %(chain_id)s, %(network)s, %(transaction_id)s, %(index)s, %(address)s, %(asset)s, %(decimals)s,
    %(units)s, %(mark)s, %(block_height)s, %(block_hash)s, %(block_at)s, %(seen_at)s,
    %(is_confirmed)s, %(missing_since)s)
ON CONFLICT (chain_id, transaction_id, transfer_index) DO UPDATE
SET network = excluded.network, address = excluded.address, asset = excluded.asset,
    decimals = excluded.decimals, units = excluded.units, mark = excluded.mark,
    block_height = excluded.block_height, block_hash = excluded.block_hash,
    block_at = excluded.block_at, seen_at = excluded.seen_at,
    is_confirmed = excluded.is_confirmed, missing_since = excluded.missing_since;

-- forget_transfer: nobody waits for it any more.
DELETE FROM chain_transfers
WHERE chain_id = %(chain_id)s AND transaction_id = %(transaction_id)s
  AND transfer_index = %(index)s;

-- put_cursor: move the cursor.
INSERT INTO chain_cursors (chain_id, height, hash, epoch)
VALUES (%(chain_id)s, %(height)s, %(hash)s, %(epoch)s)
ON CONFLICT (chain_id) DO UPDATE
SET height = excluded.height, hash = excluded.hash, epoch = excluded.epoch, updated_at = now();

-- forget_blocks: drop the blocks that are abandoned, and those too old to matter.
DELETE FROM chain_blocks
WHERE chain_id = %(chain_id)s AND (height > %(valid_to)s OR height < %(keep_from)s);

-- put_block: remember a block.
INSERT INTO chain_blocks (chain_id, height, hash) VALUES (%(chain_id)s, %(height)s, %(hash)s)
ON CONFLICT (chain_id, height) DO UPDATE SET hash = excluded.hash;

-- journal: what was paid on a sandbox chain behind a sequence number, in order.
SELECT network, transaction_id, transfer_index, address, asset, decimals, units, mark,
       sequence, paid_at, real_at, anchored_at, head, is_included, pending_until, removed_at,
       returns_at
FROM sandbox_transfers
WHERE chain_id = %(chain_id)s AND sequence > %(after)s
ORDER BY sequence
LIMIT %(limit)s;

-- lock_journal: let nobody else append to a chain's journal until the commit.
SELECT pg_advisory_xact_lock(40706, hashtext(%(chain_id)s));

-- last_in_journal: the newest row of a chain's journal.
SELECT network, transaction_id, transfer_index, address, asset, decimals, units, mark,
       sequence, paid_at, real_at, anchored_at, head, is_included, pending_until, removed_at,
       returns_at
FROM sandbox_transfers
WHERE chain_id = %(chain_id)s
ORDER BY sequence DESC
LIMIT 1;

-- append_to_journal: the next row of a chain's journal.
INSERT INTO sandbox_transfers (
    chain_id, network, transaction_id, transfer_index, address, asset, decimals, units, mark,
    sequence, paid_at, real_at, anchored_at, head, is_included, pending_until, removed_at,
    returns_at)
VALUES (
    %(chain_id)s, %(network)s, %(transaction_id)s, %(index)s, %(address)s, %(asset)s, %(decimals)s,
    %(units)s, %(mark)s, %(sequence)s, %(paid_at)s, %(real_at)s, %(anchored_at)s, %(head)s,
    %(is_included)s, %(pending_until)s, %(removed_at)s, %(returns_at)s);
