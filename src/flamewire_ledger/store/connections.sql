-- begin: what is acknowledged is durable, whatever the server was set to; and since when it runs, which no other does.
SELECT pg_postmaster_start_time(),
    CASE WHEN current_setting('synchronous_commit') = 'off'
        THEN set_config('synchronous_commit', 'on', false)
    END;
