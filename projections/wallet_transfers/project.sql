-- on: *
-- What an event moves is the sum of its postings to the wallet; one that takes out as much as it puts in moves nothing.
INSERT INTO wallet_transfers_v1 (
    network, transaction_id, index, merchant_id, position, stream_id, address, asset, decimals, units, height,
    block_hash, at
)
SELECT network, transaction_id, index, merchant_id, position, stream_id, address, asset, decimals, units, height,
    block_hash, at
FROM (
    SELECT
        data->'transfer'->>'network' AS network,
        data->'transfer'->>'transaction_id' AS transaction_id,
        (data->'transfer'->>'index')::bigint AS index,
        merchant_id,
        position,
        stream_id,
        data->'transfer'->>'address' AS address,
        data->'transfer'->'amount'->>'asset' AS asset,
        (data->'transfer'->'amount'->>'decimals')::smallint AS decimals,
        (
            SELECT sum(
                CASE
                    WHEN starts_with(posting->>'debit', 'assets:wallet:') THEN (posting->'amount'->>'units')::numeric
                    WHEN starts_with(posting->>'credit', 'assets:wallet:') THEN -(posting->'amount'->>'units')::numeric
                    ELSE 0
                END)
            FROM jsonb_array_elements(data->'postings') AS posting
        ) AS units,
        (data->'block'->>'height')::bigint AS height,
        data->'block'->>'hash' AS block_hash,
        coalesce(
            data->'block'->>'at', data->>'confirmed_at', data->>'assigned_at', data->>'reorganised_at'
        )::timestamptz AS at
    FROM batch
) AS moved
WHERE units <> 0;
