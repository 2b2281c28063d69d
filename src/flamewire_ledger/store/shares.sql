-- join: be one of a group, for as long as the connection lives; partition numbers begin at 0, so -1 is nobody's.
SELECT pg_advisory_lock_shared(hashtext(%(group)s), -1);

-- members: the connections of the group, this one among them, in an order that all of them see.
SELECT pid = pg_backend_pid() AS is_own
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid::bigint = (hashtext(%(group)s)::bigint & 4294967295)
  AND objid::bigint = 4294967295  -- -1
ORDER BY pid;

-- try_lock: take a partition, if nobody has it.
SELECT pg_try_advisory_lock(hashtext(%(group)s), %(partition)s);

-- unlock: let go of a partition.
SELECT pg_advisory_unlock(hashtext(%(group)s), %(partition)s);

-- notice_soon: let the database notice within half a minute that the holder's machine is gone.
SELECT set_config('tcp_keepalives_idle', '10', false),
       set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false);
