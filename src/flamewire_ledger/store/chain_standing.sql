-- cursors: how far each of these chains was followed, and when that was last written down.
SELECT chain_id, height, updated_at FROM chain_cursors WHERE chain_id = ANY(%(chain_ids)s);

-- watchers: who follows each of these chains, and who stands by for it.
-- The keys of the locks are those of chain_turns.sql; pg_locks shows each as two halves.
WITH watched AS (
    SELECT chain_id, what,
           hashtextextended('flamewire ' || what || ' ' || chain_id, 0) AS key
    FROM unnest(%(chain_ids)s::text[]) AS chain_id, unnest(ARRAY['watcher', 'candidate']) AS what
)
SELECT watched.chain_id, substr(activity.application_name, length('flamewire ') + 1) AS name,
       bool_or(watched.what = 'watcher') AS is_following
FROM watched
JOIN pg_locks AS held
  ON held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
 AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
 AND held.classid::bigint = (watched.key >> 32) & 4294967295
 AND held.objid::bigint = watched.key & 4294967295
JOIN pg_stat_activity AS activity ON activity.pid = held.pid
GROUP BY watched.chain_id, activity.application_name, activity.pid
ORDER BY watched.chain_id, is_following DESC, activity.application_name, activity.pid;

-- held_up: how many transfers are in blocks up to a height and not confirmed, or gone without anybody taking note.
SELECT count(*)
FROM chain_transfers
WHERE chain_id = %(chain_id)s AND NOT is_confirmed
  AND (block_height <= %(height)s OR transfer_index < 0);
