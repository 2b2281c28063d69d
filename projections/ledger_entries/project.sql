-- on: *
INSERT INTO ledger_entries_v1 (
    merchant_id, position, line, debit, credit, asset, decimals, units, stream_id, type, recorded_at
)
SELECT
    merchant_id, position, line, posting->>'debit', posting->>'credit', posting->'amount'->>'asset',
    (posting->'amount'->>'decimals')::smallint, (posting->'amount'->>'units')::numeric, stream_id, type, recorded_at
FROM batch,
    jsonb_array_elements(data->'postings') WITH ORDINALITY AS made (posting, line);
