"""What every test may ask for: servers by fixture; see tests/services/fixtures.py. And what none leaves behind."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.distribution import pytest_collection_modifyitems
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
    sui_signer,
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
    "pytest_collection_modifyitems",
    "rabbitmq_server",
    "redis_prefix",
    "redis_server",
    "redis_url",
    "substrate",
    "sui_signer",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Logging is as it was. A ledger that is opened within a test logs to that test's stderr; left there, each
    line of every later test would be a fault, told with a stack: some took ten times as long.
    """
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.is_configured()
    config = structlog.get_config()
    try:
        return (yield)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**config) if configured else structlog.reset_defaults()
