-- use_schema: names of tables are looked up here until the transaction ends.
SELECT set_config('search_path', %(path)s, true);
