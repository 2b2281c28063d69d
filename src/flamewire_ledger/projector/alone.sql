-- use_schema: names of tables are looked up here until the transaction ends.
SELECT set_config('search_path', %(path)s, true);

-- do_not_wait_for_disk: the commit of this transaction may be lost, with all of it.
SET LOCAL synchronous_commit = off;
