-- deposits_at: the payments behind these addresses of a network, newest first, whoever's they are.
SELECT *
FROM deposit_addresses_v1
WHERE network = %(network)s AND address = ANY(%(addresses)s)
ORDER BY address, payment_id DESC, asset
LIMIT %(limit)s;

-- deposits_after: the addresses given out behind a position, in order: what a watcher adds to those it knows.
SELECT *
FROM deposit_addresses_v1
WHERE network = %(network)s AND position > %(position)s
ORDER BY position, address, payment_id, asset
LIMIT %(limit)s;
