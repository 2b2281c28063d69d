"""What every test may ask for: servers by fixture; see tests/services/fixtures.py."""

from tests.services.fixtures import (
    amqp_link,
    amqp_prefix,
    amqp_url,
    anvil,
    database_url,
    databases,
    ledger_template,
    ledger_url,
    link_to,
    postgres_server,
    postgres_url,
    rabbitmq_server,
    redis_prefix,
    redis_server,
    redis_url,
    substrate,
)

__all__ = [
    "amqp_link",
    "amqp_prefix",
    "amqp_url",
    "anvil",
    "database_url",
    "databases",
    "ledger_template",
    "ledger_url",
    "link_to",
    "postgres_server",
    "postgres_url",
    "rabbitmq_server",
    "redis_prefix",
    "redis_server",
    "redis_url",
    "substrate",
]
