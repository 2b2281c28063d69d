-- try_lock: become the watcher of a chain, if nobody is, for as long as the connection lives.
SELECT pg_try_advisory_lock(hashtextextended('flamewire watcher ' || %(chain_id)s, 0));

-- be_seen: say who this is, and that it would follow the chain, for as long as the connection lives.
SELECT set_config('application_name', 'flamewire ' || %(name)s, false),
       pg_advisory_lock_shared(hashtextextended('flamewire candidate ' || %(chain_id)s, 0));

-- notice_soon: let the database notice within half a minute that the holder's machine is gone.
SELECT set_config('tcp_keepalives_idle', '10', false),
       set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false);

-- still_there: whether the connection is.
SELECT 1;
