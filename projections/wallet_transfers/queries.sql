-- wallet_owners: whose books have transfers of a network, behind a merchant.
SELECT DISTINCT merchant_id
FROM wallet_transfers_v1
WHERE network = %(network)s AND merchant_id > %(after)s
ORDER BY merchant_id
LIMIT %(limit)s;

-- wallet_transfers_between: every movement of the transfers that these blocks put into wallets, for merchants up to a
-- position of each, behind a movement.
SELECT moved.*
FROM wallet_transfers_v1 AS moved
JOIN unnest(%(merchants)s::text[], %(positions)s::bigint[]) AS asked (merchant_id, until)
    ON moved.merchant_id = asked.merchant_id AND moved.position <= asked.until
WHERE moved.network = %(network)s
    AND (moved.transaction_id, moved.index, moved.merchant_id, moved.position)
        > (%(after_transaction)s, %(after_index)s, %(after_merchant)s, %(after_position)s)
    AND EXISTS (
        SELECT 1
        FROM wallet_transfers_v1 AS placed
        WHERE placed.network = moved.network AND placed.transaction_id = moved.transaction_id
            AND placed.index = moved.index AND placed.height BETWEEN %(first)s AND %(last)s)
ORDER BY moved.transaction_id, moved.index, moved.merchant_id, moved.position
LIMIT %(limit)s;

-- wallet_transfers_named: every movement of these transfers, whatever their blocks.
SELECT moved.*
FROM unnest(%(transactions)s::text[], %(indexes)s::bigint[]) AS named (transaction_id, index)
JOIN wallet_transfers_v1 AS moved
    ON moved.network = %(network)s AND moved.transaction_id = named.transaction_id AND moved.index = named.index
JOIN unnest(%(merchants)s::text[], %(positions)s::bigint[]) AS asked (merchant_id, until)
    ON moved.merchant_id = asked.merchant_id AND moved.position <= asked.until
ORDER BY moved.transaction_id, moved.index, moved.merchant_id, moved.position
LIMIT %(limit)s;

-- wallet_totals: what transfers moved before a block, and in and out from there to another, for merchants up to a
-- position of each; a transfer is of the last block that put it in.
SELECT asset, max(decimals) AS decimals,
    coalesce(sum(into_units - out_units) FILTER (WHERE height < %(first)s), 0) AS opening_units,
    coalesce(sum(into_units) FILTER (WHERE height >= %(first)s), 0) AS in_units,
    coalesce(sum(out_units) FILTER (WHERE height >= %(first)s), 0) AS out_units
FROM (
    SELECT moved.asset, max(moved.decimals) AS decimals, max(moved.height) AS height,
        sum(greatest(moved.units, 0)) AS into_units, sum(greatest(-moved.units, 0)) AS out_units
    FROM wallet_transfers_v1 AS moved
    JOIN unnest(%(merchants)s::text[], %(positions)s::bigint[]) AS asked (merchant_id, until)
        ON moved.merchant_id = asked.merchant_id AND moved.position <= asked.until
    WHERE moved.network = %(network)s
    GROUP BY moved.asset, moved.transaction_id, moved.index
) AS transfer
WHERE height <= %(last)s
GROUP BY asset
ORDER BY asset;

-- wallet_addresses: where what is in the wallets came to, for merchants up to a position of each, behind an address.
SELECT DISTINCT moved.address
FROM wallet_transfers_v1 AS moved
JOIN unnest(%(merchants)s::text[], %(positions)s::bigint[]) AS asked (merchant_id, until)
    ON moved.merchant_id = asked.merchant_id AND moved.position <= asked.until
WHERE moved.network = %(network)s AND moved.address > %(after)s
ORDER BY moved.address
LIMIT %(limit)s;
