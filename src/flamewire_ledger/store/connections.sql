-- wait_for_the_disk: what is acknowledged is durable, whatever the server was set to.
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off';
