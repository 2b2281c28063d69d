"""A database for each contender, all of one server."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


def database(server_url: str, name: str) -> str:
    """The URL of that database, which is made if it is not there."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        row = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if row is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
