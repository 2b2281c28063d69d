-- built: which definition the live tables of a projection come from, or no row.
SELECT version, fingerprint
FROM projections
WHERE name = %(name)s;

-- live_positions: how far each live projection is.
SELECT name, partition, position
FROM projection_checkpoints
WHERE generation = 'live';

-- positions_in: how far each live projection is in one partition.
SELECT name, position
FROM projection_checkpoints
WHERE generation = 'live' AND partition = %(partition)s;

-- parked_counts: how many events of each consumer are parked.
SELECT consumer, partition, count(*)
FROM dead_letters
WHERE generation = 'live' AND discarded_at IS NULL
GROUP BY consumer, partition;
