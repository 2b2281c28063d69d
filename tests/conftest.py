"""What every test may ask for: servers by fixture; see tests/services/fixtures.py."""

from tests.services.fixtures import (
    database_url,
    databases,
    postgres_server,
    postgres_url,
)

__all__ = [
    "database_url",
    "databases",
    "postgres_server",
    "postgres_url",
]
