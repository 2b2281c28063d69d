-- on: *
INSERT INTO account_balance_v1 AS balance (
    merchant_id, account, asset, decimals, debit_units, credit_units, position
)
SELECT
    merchant_id, CASE WHEN is_debit THEN posting->>'debit' ELSE posting->>'credit' END,
    posting->'amount'->>'asset', max((posting->'amount'->>'decimals')::smallint),
    sum(CASE WHEN is_debit THEN (posting->'amount'->>'units')::numeric ELSE 0 END),
    sum(CASE WHEN is_debit THEN 0 ELSE (posting->'amount'->>'units')::numeric END),
    max(position)
FROM batch,
    jsonb_array_elements(data->'postings') AS posting,
    (VALUES (true), (false)) AS side (is_debit)
GROUP BY 1, 2, 3
ON CONFLICT (merchant_id, account, asset) DO UPDATE
SET debit_units = balance.debit_units + excluded.debit_units,
    credit_units = balance.credit_units + excluded.credit_units,
    position = greatest(balance.position, excluded.position);
