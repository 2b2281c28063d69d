-- deposits_at: the payments behind these addresses of a network, newest first, whoever's they are; of an address that
-- many have, the newest few.
SELECT deposit.*
FROM unnest(%(addresses)s::text[]) AS asked (address)
CROSS JOIN LATERAL (
    SELECT *
    FROM deposit_addresses_v1 AS row
    WHERE row.network = %(network)s AND row.address = asked.address
    ORDER BY row.payment_id DESC, row.asset DESC
    LIMIT 32
) AS deposit
ORDER BY deposit.address, deposit.payment_id DESC, deposit.asset
LIMIT %(limit)s;

-- deposits_marked: the payments of these marks at these addresses, pair by pair.
SELECT deposit.*
FROM unnest(%(addresses)s::text[], %(marks)s::text[]) AS asked (address, mark)
JOIN deposit_addresses_v1 AS deposit
    ON deposit.network = %(network)s AND deposit.address = asked.address AND deposit.mark = asked.mark
WHERE deposit.identified_by = 'mark'
ORDER BY deposit.address, deposit.mark, deposit.payment_id DESC, deposit.asset;

-- deposits_due: the payments that ask for exactly so many units at these addresses, the newest of each first.
SELECT deposit.*
FROM unnest(%(addresses)s::text[], %(assets)s::text[], %(units)s::numeric[]) AS asked (address, asset, units)
CROSS JOIN LATERAL (
    SELECT *
    FROM deposit_addresses_v1 AS row
    WHERE row.network = %(network)s AND row.address = asked.address AND row.asset = asked.asset
        AND row.due_units = asked.units AND row.identified_by = 'amount'
    ORDER BY row.requested_at DESC
    LIMIT %(limit)s
) AS deposit
ORDER BY deposit.address, deposit.asset, deposit.due_units, deposit.requested_at DESC;

-- deposits_after: the addresses given out behind a position, in order: what a watcher adds to those it knows.
SELECT *
FROM deposit_addresses_v1
WHERE network = %(network)s AND position > %(position)s
ORDER BY position, address, payment_id, asset
LIMIT %(limit)s;

-- deposits_ending: the payments that could be made on a network and whose term ended in a time, by id, behind one.
SELECT payment_id, merchant_id
FROM deposit_addresses_v1
WHERE network = %(network)s AND expires_at > %(since)s AND expires_at <= %(until)s AND payment_id > %(after)s
GROUP BY payment_id, merchant_id
ORDER BY payment_id
LIMIT %(limit)s;

-- deposits_first: the payment that was asked for first on a network, of a merchant or of all.
SELECT payment_id, merchant_id, requested_at
FROM deposit_addresses_v1
WHERE network = %(network)s AND (%(merchant_id)s::text IS NULL OR merchant_id = %(merchant_id)s)
ORDER BY requested_at, position
LIMIT %(limit)s;
