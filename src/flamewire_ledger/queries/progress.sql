-- live_checkpoints: how far each live read model has come, in each partition.
SELECT name, partition, position
FROM projection_checkpoints
WHERE generation = 'live';
