-- journal: postings of a merchant behind one, in their order, with what is recorded about the price of each.
SELECT
    entry.position, entry.line, entry.debit, entry.credit, entry.asset, entry.decimals, entry.units, entry.stream_id,
    entry.type, entry.at, entry.recorded_at, receipt.standing, receipt.worth_units, receipt.worth_asset,
    receipt.worth_decimals, lock.lock_id, lock.price AS lock_price, lock.quote AS lock_quote,
    disposal.lots
FROM ledger_entries_v1 AS entry
LEFT JOIN receipt_values_v1 AS receipt
    ON receipt.merchant_id = entry.merchant_id AND receipt.position = entry.position
LEFT JOIN payment_status_v1 AS payment
    ON payment.payment_id = entry.stream_id AND payment.merchant_id = entry.merchant_id
LEFT JOIN LATERAL (
    -- Two networks with one name may offer the same asset; it has one price.
    SELECT option->>'price_lock_id' AS lock_id
    FROM jsonb_array_elements(payment.options) WITH ORDINALITY AS offered (option, number)
    WHERE option->'due'->>'asset' = entry.asset AND option->>'price_lock_id' IS NOT NULL
    ORDER BY number
    LIMIT 1
) AS promised ON true
LEFT JOIN price_locks_v1 AS lock
    ON lock.merchant_id = entry.merchant_id AND lock.lock_id = promised.lock_id
LEFT JOIN disposals_v1 AS disposal
    ON disposal.merchant_id = entry.merchant_id AND disposal.position = entry.position
WHERE entry.merchant_id = %(merchant_id)s
    AND (entry.position, entry.line) > (%(after_position)s, %(after_line)s)
    AND entry.position <= %(until)s
    AND (%(with_credits)s OR entry.asset <> 'CREDIT')
ORDER BY entry.position, entry.line
LIMIT %(limit)s;

-- journal_of_streams: the same of some streams up to a posting, without credits: what their money did until then.
SELECT
    entry.position, entry.line, entry.debit, entry.credit, entry.asset, entry.decimals, entry.units, entry.stream_id,
    entry.type, entry.at, entry.recorded_at, receipt.standing, receipt.worth_units, receipt.worth_asset,
    receipt.worth_decimals, lock.lock_id, lock.price AS lock_price, lock.quote AS lock_quote,
    disposal.lots
FROM ledger_entries_v1 AS entry
LEFT JOIN receipt_values_v1 AS receipt
    ON receipt.merchant_id = entry.merchant_id AND receipt.position = entry.position
LEFT JOIN payment_status_v1 AS payment
    ON payment.payment_id = entry.stream_id AND payment.merchant_id = entry.merchant_id
LEFT JOIN LATERAL (
    -- Two networks with one name may offer the same asset; it has one price.
    SELECT option->>'price_lock_id' AS lock_id
    FROM jsonb_array_elements(payment.options) WITH ORDINALITY AS offered (option, number)
    WHERE option->'due'->>'asset' = entry.asset AND option->>'price_lock_id' IS NOT NULL
    ORDER BY number
    LIMIT 1
) AS promised ON true
LEFT JOIN price_locks_v1 AS lock
    ON lock.merchant_id = entry.merchant_id AND lock.lock_id = promised.lock_id
LEFT JOIN disposals_v1 AS disposal
    ON disposal.merchant_id = entry.merchant_id AND disposal.position = entry.position
WHERE entry.merchant_id = %(merchant_id)s
    AND entry.stream_id = ANY (%(stream_ids)s::text[])
    AND (entry.position, entry.line) > (%(after_position)s, %(after_line)s)
    AND (entry.position, entry.line) <= (%(until_position)s, %(until_line)s)
    AND entry.asset <> 'CREDIT'
ORDER BY entry.position, entry.line
LIMIT %(limit)s;

-- prices_at: for each moment asked about, the sample of a thing's price that was the last to be known by then; one that was filled in later where there was none.
SELECT asked.number, sample.at, sample.dollars, sample.source
FROM unnest(
    %(price_ids)s::text[], %(times)s::timestamptz[], %(recorded)s::timestamptz[]
) WITH ORDINALITY AS asked (price_id, at, recorded_at, number)
CROSS JOIN LATERAL (
    (
        SELECT 1 AS choice, at, dollars, source
        FROM price_history_v1
        WHERE price_id = asked.price_id AND at <= asked.at AND at > asked.at - interval '1 day'
            AND recorded_at <= asked.recorded_at
        ORDER BY at DESC
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 2, at, dollars, source
        FROM price_history_v1
        WHERE price_id = asked.price_id AND at <= asked.at AND at > asked.at - interval '1 day'
            AND recorded_at <= %(known_at)s
        ORDER BY at DESC
        LIMIT 1
    )
    ORDER BY choice
    LIMIT 1
) AS sample
ORDER BY asked.number;

-- journal_accounts: accounts and assets that were posted to by a position, by name, behind one when given.
SELECT balance.account, balance.asset, balance.decimals
FROM (
    SELECT account, asset, decimals
    FROM account_balance_v1
    WHERE merchant_id = %(merchant_id)s AND (account, asset) > (%(after_account)s, %(after_asset)s)
) AS balance
WHERE EXISTS (
    SELECT FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND debit = balance.account AND asset = balance.asset AND position <= %(until)s
) OR EXISTS (
    SELECT FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND credit = balance.account AND asset = balance.asset AND position <= %(until)s
)
ORDER BY balance.account, balance.asset
LIMIT %(limit)s;

-- journal_begins: when the first of the postings up to a position happened; null when there are none.
SELECT min(at) AS at
FROM ledger_entries_v1
WHERE merchant_id = %(merchant_id)s AND position <= %(until)s;
