-- open_log: make a log if it is not there.
SELECT {schema}.open_log(%(log)s);

-- record: append events to a log; their positions.
SELECT position
FROM {schema}.record_events(
    %(log)s, %(lock_timeout)s, %(streams)b, %(versions)b, %(types)b, %(data)b) AS position;

-- select_events: the events of one originator between two versions, oldest first.
SELECT stream_id, version, type, data
FROM {schema}.events
WHERE partition = {schema}.log_partition(%(log)s) AND stream_id = %(stream)s
  AND version > %(gt)s AND version <= %(lte)s
ORDER BY version
LIMIT %(limit)s;

-- select_events_backwards: the same, newest first.
SELECT stream_id, version, type, data
FROM {schema}.events
WHERE partition = {schema}.log_partition(%(log)s) AND stream_id = %(stream)s
  AND version > %(gt)s AND version <= %(lte)s
ORDER BY version DESC
LIMIT %(limit)s;

-- select_notifications: events of a log between two positions, of some types or of all, in order.
SELECT position, stream_id, version, type, data
FROM {schema}.events
WHERE partition = {schema}.log_partition(%(log)s)
  AND position >= %(start)s AND position <= %(stop)s
  AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s))
ORDER BY position
LIMIT %(limit)s;

-- head: the last position of a log; 0 when it is empty.
SELECT head FROM {schema}.partitions WHERE partition = {schema}.log_partition(%(log)s);

-- listen: be told of every append.
LISTEN flamewire_events;
