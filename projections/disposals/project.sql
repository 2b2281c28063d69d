-- on: disposal.made.v1
INSERT INTO disposals_v1 (
    merchant_id, disposal_id, position, network, kind, asset, decimals, units, proceeds_asset, proceeds_decimals,
    proceeds_units, lots, reference, made_at
)
SELECT
    merchant_id, data->>'disposal_id', position, data->>'network', data->>'kind', data->'amount'->>'asset',
    (data->'amount'->>'decimals')::smallint, (data->'amount'->>'units')::numeric, data->'proceeds'->>'asset',
    (data->'proceeds'->>'decimals')::smallint, (data->'proceeds'->>'units')::numeric,
    ARRAY(SELECT lot FROM jsonb_array_elements_text(data->'lots') WITH ORDINALITY AS named (lot, number) ORDER BY number),
    data->>'reference', (data->>'made_at')::timestamptz
FROM batch;
