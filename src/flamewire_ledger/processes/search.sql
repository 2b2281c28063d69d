-- find: the events of some types in a stretch of the log, in order; and its first event, of whatever type, as the proof that the stretch is there. Last comes since when the server runs.
SELECT position, partition, stream_id, version, type, data, merchant_id, command_id, metadata,
       recorded_at, pg_postmaster_start_time()
FROM events
WHERE partition = %(partition)b AND position BETWEEN %(first)b AND %(last)b
  AND (type = ANY(%(types)b) OR position = %(first)b)
ORDER BY position
LIMIT %(limit)b;
