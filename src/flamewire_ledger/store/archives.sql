-- at_position: the archive that has a position.
SELECT partition, first_position, last_position, manifest, manifest_sha256, directory
FROM archives
WHERE partition = %(partition)s AND first_position <= %(position)s AND last_position >= %(position)s;

-- at_time: the first archive that has an event recorded after a time.
SELECT partition, first_position, last_position, manifest, manifest_sha256, directory
FROM archives
WHERE partition = %(partition)s AND last_recorded_at > %(at)s
ORDER BY first_position
LIMIT 1;

-- of_stream: the archives that may have events of a stream, from the newest.
SELECT a.partition, a.first_position, a.last_position, a.manifest, a.manifest_sha256, a.directory
FROM streams AS s
JOIN archives AS a ON a.partition = s.partition
    AND a.first_position <= s.last_position AND a.last_position >= s.first_position
WHERE s.partition = %(partition)s AND s.stream_id = %(stream_id)s
ORDER BY a.first_position DESC;

-- archived_until: the last position that is archived.
SELECT archived_until FROM partitions WHERE partition = %(partition)s;
