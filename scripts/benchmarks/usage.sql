-- recorded: how many items of usage the log has.
SELECT coalesce(sum((bundle->>'items')::bigint), 0)
FROM events, jsonb_array_elements(convert_from(data, 'UTF8')::jsonb->'bundles') AS bundle
WHERE type = 'usage.recorded.v1';

-- make_reference: a table of items with their key.
CREATE TABLE usage_reference (source text, id text, body text, PRIMARY KEY (source, id));

-- copy_in: items as they are.
COPY usage_reference (source, id, body) FROM STDIN;

-- drop_reference: it was for this.
DROP TABLE usage_reference;
