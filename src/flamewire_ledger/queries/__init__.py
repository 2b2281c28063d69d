"""Answers from the read models: thin Python over the queries.sql of every projection."""
