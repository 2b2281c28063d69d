-- disposal_by_id: one disposal, or no row.
SELECT *
FROM disposals_v1
WHERE merchant_id = %(merchant_id)s AND disposal_id = %(disposal_id)s;

-- disposals_older: a page of disposals, the last first, behind an id when one is given.
SELECT *
FROM disposals_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR position < (
        SELECT position FROM disposals_v1 WHERE disposal_id = %(starting_after)s::text))
ORDER BY position DESC
LIMIT %(limit)s;

-- disposals_newer: the page before an id, the first first: turn it round to show it.
SELECT *
FROM disposals_v1
WHERE merchant_id = %(merchant_id)s
    AND position > (SELECT position FROM disposals_v1 WHERE disposal_id = %(ending_before)s::text)
ORDER BY position
LIMIT %(limit)s;

-- holding_at: what a wallet has of an asset at a position, and what of it is to be given back, both without what one
-- stream moved; and how many disposals that stream had.
SELECT
    coalesce(sum(units) FILTER (WHERE account = %(wallet)s AND stream_id <> %(holding_id)s), 0) AS received_units,
    coalesce(-sum(units) FILTER (WHERE account = %(owed)s AND stream_id <> %(holding_id)s), 0) AS owed_units,
    count(*) FILTER (WHERE account = %(wallet)s AND stream_id = %(holding_id)s) AS seen
FROM (
    SELECT debit AS account, units, stream_id
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND debit IN (%(wallet)s, %(owed)s) AND asset = %(asset)s
        AND position <= %(until)s
    UNION ALL
    SELECT credit, -units, stream_id
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND credit IN (%(wallet)s, %(owed)s) AND asset = %(asset)s
        AND position <= %(until)s
) AS side;

-- disposal_totals: what left the wallets of a network by a time, by asset, as told by merchants up to a position of each.
SELECT told.asset, max(told.decimals) AS decimals,
    coalesce(sum(told.units) FILTER (WHERE told.kind <> 'fee'), 0) AS out_units,
    coalesce(sum(told.units) FILTER (WHERE told.kind = 'fee'), 0) AS fee_units
FROM unnest(%(merchants)s::text[], %(positions)s::bigint[]) AS asked (merchant_id, until)
JOIN disposals_v1 AS told ON told.merchant_id = asked.merchant_id AND told.position <= asked.until
WHERE told.network = %(network)s AND told.made_at <= %(made_until)s
GROUP BY told.asset
ORDER BY told.asset;
