-- registered_address_by_id: one registered address of a merchant, in force or not; or no row.
SELECT *, CASE
        WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN EXISTS (
            SELECT FROM ownerships_v1 AS newer
            WHERE newer.merchant_id = ownership.merchant_id AND newer.slot = ownership.slot
                AND newer.registered > ownership.registered
        ) THEN 'replaced'
        ELSE 'registered'
    END AS status
FROM ownerships_v1 AS ownership
WHERE ownership_id = %(ownership_id)s AND merchant_id = %(merchant_id)s AND registered IS NOT NULL;

-- registered_addresses_older: a page of a merchant's registered addresses, newest first, behind an id when one is given.
SELECT *
FROM (
    SELECT *, CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked'
            WHEN EXISTS (
                SELECT FROM ownerships_v1 AS newer
                WHERE newer.merchant_id = ownership.merchant_id AND newer.slot = ownership.slot
                    AND newer.registered > ownership.registered
            ) THEN 'replaced'
            ELSE 'registered'
        END AS status
    FROM ownerships_v1 AS ownership
    WHERE merchant_id = %(merchant_id)s
        AND (%(starting_after)s::text IS NULL OR ownership_id < %(starting_after)s)
        AND registered IS NOT NULL
        AND (%(purpose)s::text IS NULL OR purpose = %(purpose)s)
        AND (%(payment_id)s::text IS NULL OR payment_id = %(payment_id)s)
        AND (%(account_id)s::text IS NULL OR account_id = %(account_id)s)
        AND (%(chain_id)s::text IS NULL OR chain_id = %(chain_id)s)
        AND (%(address)s::text IS NULL OR address = %(address)s)
) AS address
WHERE %(status)s::text IS NULL OR status = %(status)s
ORDER BY ownership_id DESC
LIMIT %(limit)s;

-- registered_addresses_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM (
    SELECT *, CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked'
            WHEN EXISTS (
                SELECT FROM ownerships_v1 AS newer
                WHERE newer.merchant_id = ownership.merchant_id AND newer.slot = ownership.slot
                    AND newer.registered > ownership.registered
            ) THEN 'replaced'
            ELSE 'registered'
        END AS status
    FROM ownerships_v1 AS ownership
    WHERE merchant_id = %(merchant_id)s
        AND ownership_id > %(ending_before)s
        AND registered IS NOT NULL
        AND (%(purpose)s::text IS NULL OR purpose = %(purpose)s)
        AND (%(payment_id)s::text IS NULL OR payment_id = %(payment_id)s)
        AND (%(account_id)s::text IS NULL OR account_id = %(account_id)s)
        AND (%(chain_id)s::text IS NULL OR chain_id = %(chain_id)s)
        AND (%(address)s::text IS NULL OR address = %(address)s)
) AS address
WHERE %(status)s::text IS NULL OR status = %(status)s
ORDER BY ownership_id
LIMIT %(limit)s;

-- senders_at: for whom these addresses of one chain were proved to be their own, and still count, newest first.
SELECT address, payment_id, account_id, ownership_id, registered_at
FROM ownerships_v1 AS ownership
WHERE merchant_id = %(merchant_id)s
    AND chain_id = %(chain_id)s
    AND address = ANY (%(addresses)s)
    AND registered IS NOT NULL
    AND purpose = 'sender'
    AND revoked_at IS NULL
    AND NOT EXISTS (
        SELECT FROM ownerships_v1 AS newer
        WHERE newer.merchant_id = ownership.merchant_id AND newer.slot = ownership.slot
            AND newer.registered > ownership.registered
    )
ORDER BY registered DESC
LIMIT %(limit)s;

-- refund_addresses: where to pay back on each network: the payment's own, else its credit account's.
SELECT DISTINCT ON (chain_id) chain_id, network, address, ownership_id, payment_id, account_id, registered_at
FROM ownerships_v1 AS ownership
WHERE merchant_id = %(merchant_id)s
    AND (payment_id = %(payment_id)s OR account_id = %(account_id)s)
    AND registered IS NOT NULL
    AND purpose = 'refund'
    AND revoked_at IS NULL
    AND NOT EXISTS (
        SELECT FROM ownerships_v1 AS newer
        WHERE newer.merchant_id = ownership.merchant_id AND newer.slot = ownership.slot
            AND newer.registered > ownership.registered
    )
ORDER BY chain_id, payment_id IS NULL;
