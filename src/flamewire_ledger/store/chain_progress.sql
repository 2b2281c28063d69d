-- cursor: how far a chain was followed.
SELECT height, hash, reorganisations FROM followed_chains WHERE chain_id = %(chain_id)s;

-- blocks: the newest blocks of a chain, as they were seen.
SELECT height, hash FROM followed_blocks WHERE chain_id = %(chain_id)s ORDER BY height;

-- transfers: the transfers on a chain that somebody waits for.
SELECT network, transaction_id, index, address, asset, decimals, units, block_height, block_hash,
       block_at, seen_at, confirmed, missing_since
FROM followed_transfers
WHERE chain_id = %(chain_id)s
ORDER BY seen_at, transaction_id, index;

-- put_transfer: write a transfer down, as it is now.
INSERT INTO followed_transfers (
    chain_id, transaction_id, index, network, address, asset, decimals, units, block_height,
    block_hash, block_at, seen_at, confirmed, missing_since
) VALUES (
    %(chain_id)s, %(transaction_id)s, %(index)s, %(network)s, %(address)s, %(asset)s, %(decimals)s,
    %(units)s, %(block_height)s, %(block_hash)s, %(block_at)s, %(seen_at)s, %(confirmed)s,
    %(missing_since)s
)
ON CONFLICT (chain_id, transaction_id, index) DO UPDATE
SET block_height = excluded.block_height, block_hash = excluded.block_hash,
    block_at = excluded.block_at, seen_at = excluded.seen_at, confirmed = excluded.confirmed,
    missing_since = excluded.missing_since, address = excluded.address, asset = excluded.asset,
    decimals = excluded.decimals, units = excluded.units;

-- forget_transfers: what nobody waits for any more.
DELETE FROM followed_transfers AS kept
USING unnest(%(transaction_ids)s::text[], %(indexes)s::bigint[]) AS gone (transaction_id, index)
WHERE kept.chain_id = %(chain_id)s
  AND kept.transaction_id = gone.transaction_id AND kept.index = gone.index;

-- forget_blocks: those that were abandoned, and those too old to matter.
DELETE FROM followed_blocks
WHERE chain_id = %(chain_id)s AND (height > %(valid_to)s OR height < %(keep_from)s);

-- put_blocks: the newest blocks.
INSERT INTO followed_blocks (chain_id, height, hash)
SELECT %(chain_id)s, height, hash
FROM unnest(%(heights)s::bigint[], %(hashes)s::text[]) AS block (height, hash);

-- move_cursor: how far the chain has been followed now.
INSERT INTO followed_chains AS kept (chain_id, height, hash, reorganisations)
VALUES (%(chain_id)s, %(height)s, %(hash)s, %(reorganisations)s)
ON CONFLICT (chain_id) DO UPDATE
SET height = excluded.height, hash = excluded.hash, reorganisations = excluded.reorganisations,
    moved_at = now();
