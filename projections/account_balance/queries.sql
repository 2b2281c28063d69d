-- balances: both sides of each account and asset of a merchant, by account, behind one when given.
SELECT account, asset, decimals, debit_units, credit_units, position
FROM account_balance_v1
WHERE merchant_id = %(merchant_id)s
    AND (account, asset) > (%(after_account)s, %(after_asset)s)
    AND starts_with(account, %(prefix)s)
ORDER BY account, asset
LIMIT %(limit)s;

-- balances_before: the same backwards: what comes before an account and asset, the nearest first.
SELECT account, asset, decimals, debit_units, credit_units, position
FROM account_balance_v1
WHERE merchant_id = %(merchant_id)s
    AND (account, asset) < (%(before_account)s, %(before_asset)s)
    AND starts_with(account, %(prefix)s)
ORDER BY account DESC, asset DESC
LIMIT %(limit)s;

-- trial_balance: the sums of both sides by asset; they are equal, or the books are wrong.
SELECT asset, max(decimals) AS decimals, sum(debit_units) AS debit_units, sum(credit_units) AS credit_units,
    max(position) AS position
FROM account_balance_v1
WHERE merchant_id = %(merchant_id)s
GROUP BY asset
ORDER BY asset;

-- books_out_of_balance: for verification, over all merchants: whose sides are not equal.
SELECT merchant_id, asset, sum(debit_units) AS debit_units, sum(credit_units) AS credit_units
FROM account_balance_v1
GROUP BY merchant_id, asset
HAVING sum(debit_units) <> sum(credit_units)
ORDER BY merchant_id, asset
LIMIT %(limit)s;

-- books: for verification, how many books there are: one for each merchant and asset.
SELECT count(*)
FROM (SELECT DISTINCT merchant_id, asset FROM account_balance_v1) AS book;

-- holdings: what is in each wallet of a merchant and how much of it is held for others, listed assets first.
WITH held AS (
    SELECT asset,
        sum(credit_units - debit_units) FILTER (WHERE account = 'liabilities:customer_unapplied') AS unapplied_units,
        sum(credit_units - debit_units) FILTER (WHERE account = 'liabilities:suspense') AS suspense_units,
        sum(credit_units - debit_units) FILTER (WHERE account = 'liabilities:refunds_payable') AS refund_units
    FROM account_balance_v1
    WHERE merchant_id = %(merchant_id)s
        AND account IN (
            'liabilities:customer_unapplied', 'liabilities:suspense', 'liabilities:refunds_payable'
        )
    GROUP BY asset
)
SELECT split_part(wallet.account, ':', 3) AS network, asset, wallet.decimals,
    wallet.debit_units - wallet.credit_units AS units,
    coalesce(held.unapplied_units, 0) AS unapplied_units,
    coalesce(held.suspense_units, 0) AS suspense_units,
    coalesce(held.refund_units, 0) AS refund_units
FROM account_balance_v1 AS wallet
LEFT JOIN held USING (asset)
WHERE wallet.merchant_id = %(merchant_id)s
    AND wallet.account < 'b'  -- so that the index leads past the accounts of credits, which are many
    AND starts_with(wallet.account, 'assets:wallet:')
    AND wallet.debit_units <> wallet.credit_units
ORDER BY asset = ANY (%(listed)s::text[]) DESC, network, asset
LIMIT %(limit)s;
