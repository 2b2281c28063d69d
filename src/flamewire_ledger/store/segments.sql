-- wait_little: within this transaction, rather give up than have appends queue up behind a lock that is waited for.
SELECT set_config('lock_timeout', '200ms', true);

-- make_room_ahead: the segments that will be needed next; how many were missing.
SELECT make_room_ahead();
