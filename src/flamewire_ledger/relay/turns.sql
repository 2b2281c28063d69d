-- try_lock: become the relay of a partition, if nobody is; the first number only says that it is about relays.
SELECT pg_try_advisory_lock(1919249505, %(partition)s);

-- position: where the relay of a partition has come to.
SELECT position FROM relay_checkpoints WHERE partition = %(partition)s;

-- move: the broker has everything up to here. It never goes back, whoever writes it.
INSERT INTO relay_checkpoints AS kept (partition, position)
VALUES (%(partition)s, %(position)s)
ON CONFLICT (partition) DO UPDATE
SET position = excluded.position, moved_at = now()
WHERE kept.position < excluded.position;

-- unhurried: a checkpoint that is lost is only a repetition, so its commit need not wait for the disk.
SET synchronous_commit = off;
