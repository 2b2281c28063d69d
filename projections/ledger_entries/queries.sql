-- ledger_entries_older: a page of a merchant's postings, the latest first, behind one when its position and line are given.
SELECT *
FROM ledger_entries_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(before_position)s::bigint IS NULL OR (position, line) < (%(before_position)s, %(before_line)s))
    AND (%(until)s::bigint IS NULL OR position <= %(until)s)
    AND (%(stream_id)s::text IS NULL OR stream_id = %(stream_id)s)
    AND (%(asset)s::text IS NULL OR asset = %(asset)s)
ORDER BY position DESC, line DESC
LIMIT %(limit)s;

-- ledger_entries_newer: the page before one, the earliest first: turn it round to show it.
SELECT *
FROM ledger_entries_v1
WHERE merchant_id = %(merchant_id)s
    AND (position, line) > (%(after_position)s, %(after_line)s)
    AND (%(until)s::bigint IS NULL OR position <= %(until)s)
    AND (%(stream_id)s::text IS NULL OR stream_id = %(stream_id)s)
    AND (%(asset)s::text IS NULL OR asset = %(asset)s)
ORDER BY position, line
LIMIT %(limit)s;

-- account_entries_older: the same for one account, whichever side it is on.
SELECT *
FROM (
    SELECT *
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND debit = %(account)s
        AND (%(until)s::bigint IS NULL OR position <= %(until)s)
    UNION ALL
    SELECT *
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND credit = %(account)s
        AND (%(until)s::bigint IS NULL OR position <= %(until)s)
) AS entry
WHERE (%(before_position)s::bigint IS NULL OR (position, line) < (%(before_position)s, %(before_line)s))
    AND (%(stream_id)s::text IS NULL OR stream_id = %(stream_id)s)
    AND (%(asset)s::text IS NULL OR asset = %(asset)s)
ORDER BY position DESC, line DESC
LIMIT %(limit)s;

-- account_entries_newer: the page before one, the earliest first: turn it round to show it.
SELECT *
FROM (
    SELECT *
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND debit = %(account)s
        AND (%(until)s::bigint IS NULL OR position <= %(until)s)
    UNION ALL
    SELECT *
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND credit = %(account)s
        AND (%(until)s::bigint IS NULL OR position <= %(until)s)
) AS entry
WHERE (position, line) > (%(after_position)s, %(after_line)s)
    AND (%(stream_id)s::text IS NULL OR stream_id = %(stream_id)s)
    AND (%(asset)s::text IS NULL OR asset = %(asset)s)
ORDER BY position, line
LIMIT %(limit)s;

-- balances_as_of: both sides of each account and asset of a merchant as they were at a position, behind one when given.
SELECT account, asset, max(decimals) AS decimals, sum(debit_units) AS debit_units, sum(credit_units) AS credit_units,
    max(position) AS position
FROM (
    SELECT debit AS account, asset, decimals, units AS debit_units, 0 AS credit_units, position
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND position <= %(until)s
    UNION ALL
    SELECT credit, asset, decimals, 0, units, position
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND position <= %(until)s
) AS side
WHERE (account, asset) > (%(after_account)s, %(after_asset)s) AND starts_with(account, %(prefix)s)
GROUP BY account, asset
ORDER BY account, asset
LIMIT %(limit)s;

-- balances_before_as_of: the same backwards: what comes before an account and asset, the nearest first.
SELECT account, asset, max(decimals) AS decimals, sum(debit_units) AS debit_units, sum(credit_units) AS credit_units,
    max(position) AS position
FROM (
    SELECT debit AS account, asset, decimals, units AS debit_units, 0 AS credit_units, position
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND position <= %(until)s
    UNION ALL
    SELECT credit, asset, decimals, 0, units, position
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND position <= %(until)s
) AS side
WHERE (account, asset) < (%(before_account)s, %(before_asset)s) AND starts_with(account, %(prefix)s)
GROUP BY account, asset
ORDER BY account DESC, asset DESC
LIMIT %(limit)s;

-- trial_balance_as_of: the sums of both sides by asset as they were at a position; they are equal.
SELECT asset, max(decimals) AS decimals, sum(units) AS debit_units, sum(units) AS credit_units, max(position) AS position
FROM ledger_entries_v1
WHERE merchant_id = %(merchant_id)s AND position <= %(until)s
GROUP BY asset
ORDER BY asset;

-- holdings_as_of: what was in each wallet at a position and how much was held for others, listed assets first.
WITH side AS (
    SELECT debit AS account, asset, decimals, units
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND position <= %(until)s
    UNION ALL
    SELECT credit, asset, decimals, -units
    FROM ledger_entries_v1
    WHERE merchant_id = %(merchant_id)s AND position <= %(until)s
),
balance AS (
    SELECT account, asset, max(decimals) AS decimals, sum(units) AS units
    FROM side
    WHERE starts_with(account, 'assets:wallet:')
        OR account IN (
            'liabilities:customer_unapplied', 'liabilities:suspense', 'liabilities:refunds_payable'
        )
    GROUP BY account, asset
),
held AS (
    SELECT asset,
        sum(-units) FILTER (WHERE account = 'liabilities:customer_unapplied') AS unapplied_units,
        sum(-units) FILTER (WHERE account = 'liabilities:suspense') AS suspense_units,
        sum(-units) FILTER (WHERE account = 'liabilities:refunds_payable') AS refund_units
    FROM balance
    WHERE account IN (
        'liabilities:customer_unapplied', 'liabilities:suspense', 'liabilities:refunds_payable'
    )
    GROUP BY asset
)
SELECT split_part(wallet.account, ':', 3) AS network, asset, wallet.decimals, wallet.units,
    coalesce(held.unapplied_units, 0) AS unapplied_units,
    coalesce(held.suspense_units, 0) AS suspense_units,
    coalesce(held.refund_units, 0) AS refund_units
FROM balance AS wallet
LEFT JOIN held USING (asset)
WHERE starts_with(wallet.account, 'assets:wallet:') AND wallet.units <> 0
ORDER BY asset = ANY (%(listed)s::text[]) DESC, network, asset
LIMIT %(limit)s;
