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
