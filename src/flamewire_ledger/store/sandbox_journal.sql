-- lock: be the only one who appends to this chain's journal, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('sandbox_journal/' || %(chain_id)s, 0));

-- read: entries behind a sequence number, in order.
SELECT sequence, network, transaction_id, index, address, asset, decimals, units, paid_at, real_at,
       anchored_at, head, is_included, pending_until, removed_at, returns_at
FROM sandbox_journal
WHERE chain_id = %(chain_id)s AND sequence > %(after)s
ORDER BY sequence
LIMIT %(limit)s;

-- last: the newest entry.
SELECT sequence, network, transaction_id, index, address, asset, decimals, units, paid_at, real_at,
       anchored_at, head, is_included, pending_until, removed_at, returns_at
FROM sandbox_journal
WHERE chain_id = %(chain_id)s
ORDER BY sequence DESC
LIMIT 1;

-- append: one more entry.
INSERT INTO sandbox_journal (
    chain_id, sequence, network, transaction_id, index, address, asset, decimals, units, paid_at,
    real_at, anchored_at, head, is_included, pending_until, removed_at, returns_at
) VALUES (
    %(chain_id)s, %(sequence)s, %(network)s, %(transaction_id)s, %(index)s, %(address)s, %(asset)s,
    %(decimals)s, %(units)s, %(paid_at)s, %(real_at)s, %(anchored_at)s, %(head)s, %(is_included)s,
    %(pending_until)s, %(removed_at)s, %(returns_at)s
);
