"""Every setting, once, with its unit and default. Read from `FLAMEWIRE_…` in the environment.

Only wiring and cli import this; everything else is given what it needs. Secrets are SecretStr, so
that a settings object that is printed shows none.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from flamewire_ledger.webhooks.addresses import read_networks

PREFIX = "FLAMEWIRE_"


class Settings(BaseSettings):
    """All of it. A field's description is its documentation; docs/reference/settings.md is made from it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(
        default=Path("~/.local/share/flamewire"),
        description="Where the embedded database and what belongs to this ledger are kept.",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address the API listens on.")
    port: int = Field(
        default=8700, ge=0, le=65535, description="Port of the API; 0 takes a free one."
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="API processes that share the port and its requests."
    )
    status_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port for health and metrics of `serve` without an API, on `host`; 0: none.",
    )

    database_url: SecretStr | None = Field(
        default=None, description="postgresql://… of a server of yours; without it one is embedded."
    )
    amqp_url: SecretStr | None = Field(
        default=None, description="amqp://… of RabbitMQ; without it projectors tail the store."
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="redis://… to share rate limits and to cache balances; without it each API process "
        "counts for itself, and asks Postgres.",
    )
    redis_prefix: str = Field(
        default="flamewire", max_length=64, description="Put before the names of keys in Redis."
    )
    cache_age_ms_max: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="How long ago the log was looked at, at most, when an answer comes from Redis, in "
        "milliseconds.",
    )
    cache_keep_seconds_max: int = Field(
        default=600, ge=1, le=86_400, description="How long Redis keeps what nobody has replaced."
    )
    amqp_prefix: str = Field(
        default="", max_length=64, description="Put before the names of exchanges and queues."
    )
    partitions: int = Field(
        default=1, ge=1, le=256, description="Shards of merchants; fixed when the database is made."
    )
    archive_dir: Path | None = Field(
        default=None,
        description="Where archived events are, the same for every role; `archives` in the data directory "
        "when empty.",
    )
    segment_events: int = Field(
        default=2**22,
        ge=1,
        le=2**32,
        description="Events in one table of the log, a power of two; fixed when the database is made.",
    )
    database_connections_max: int = Field(
        default=8, ge=2, le=200, description="Connections each process keeps for queries."
    )

    batch_commands_max: int = Field(
        default=1000, ge=1, le=10_000, description="Commands in one append."
    )
    batch_wait_ms_max: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="How long an append waits for more commands, in milliseconds.",
    )
    queue_commands_max: PositiveInt = Field(
        default=20_000,
        description="Commands that may wait for the writer before callers are refused.",
    )

    sandbox: bool = Field(
        default=True, description="Run the sandbox chains, prices and clock for test merchants."
    )
    sandbox_block_seconds: Annotated[Decimal, Field(gt=0, le=60)] = Field(
        default=Decimal("0.15"), description="Seconds between the blocks of a sandbox chain."
    )
    sandbox_identifies_by: Literal["address", "mark", "amount"] = Field(
        default="address",
        description="What tells payments on the sandbox chains apart: an address each; or, at one address of "
        "all, what the payer attaches, or the amount.",
    )
    networks_file: Path | None = Field(
        default=None, description="TOML file that names the real networks to take payments on."
    )
    unclaimed_owner: str = Field(
        default="operator",
        min_length=1,
        max_length=200,
        description="The merchant in whose books stands what came to a shared address and is no payment's, "
        "by the name of its keys; one of each mode.",
    )
    watch_poll_seconds: Annotated[Decimal, Field(gt=0, le=60)] = Field(
        default=Decimal("0.25"), description="Seconds between two looks at a chain's head."
    )

    price_rules_file: Path | None = Field(
        default=None,
        description="TOML file with spreads, discounts, sources and rounding by pair; without it the "
        "market's price is promised.",
    )
    price_sources_min: int = Field(
        default=2, ge=1, le=5, description="Price sources that have to agree on a price."
    )
    price_sources_url: str | None = Field(
        default=None,
        description="Where the price sources are asked instead of at their own addresses, each behind its "
        "name: a proxy.",
    )
    sandbox_price_sources_url: str | None = Field(
        default=None,
        description="The same for the sandbox, whose prices never change without it: a stand-in.",
    )
    coingecko_api_key: SecretStr | None = Field(
        default=None, description="Key of CoinGecko's pro API, which may be asked more often."
    )
    price_lock_seconds: int = Field(
        default=900, ge=30, le=86_400, description="How long a price lock lives."
    )
    credit_price: Annotated[Decimal, Field(gt=0, le=1_000_000)] = Field(
        default=Decimal("1"), description="US dollars a credit costs."
    )
    functional_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = Field(
        default="USD", description="ISO 4217 code of the currency that reports value the books in."
    )
    late_policy: Literal["hold", "honour", "reprice"] = Field(
        default="hold", description="What becomes of a transfer first seen after expiry."
    )
    late_honour_seconds: int = Field(
        default=900,
        ge=0,
        le=86_400,
        description="How long after expiry `honour` still honours, in seconds.",
    )
    late_drift_percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)] | None = Field(
        default=None,
        description="How much of the promised worth a late transfer may have lost to be honoured, in percent; "
        "however much when empty.",
    )
    seller_name: str = Field(
        default="",
        max_length=200,
        description="Printed on invoices; the merchant's name when empty.",
    )

    smtp_url: SecretStr | None = Field(
        default=None,
        description="smtp://user:password@host:587 or smtps://…:465 that invoices are sent through; without it "
        "none are sent.",
    )
    mail_sender: str = Field(
        default="",
        max_length=320,
        pattern=r"^([!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253})?$",
        description="The address that letters are from; they are sent when it is given too.",
    )

    secrets_key: SecretStr | None = Field(
        default=None,
        description="Base64 of 32 random bytes that secrets of webhooks are sealed with in the database, the same "
        "for every role; former ones behind it, with commas. Without it a file in the data directory is made.",
    )
    webhook_networks: str = Field(
        default="",
        max_length=2000,
        description="Networks (10.0.0.0/8, …) that webhooks may go to beside the public internet, and by http.",
    )
    webhook_loopback: bool | None = Field(
        default=None,
        description="Whether webhooks of test merchants may go to loopback addresses, and by http there; when "
        "empty, while the sandbox is on and `host` is a loopback address.",
    )
    webhook_attempt_seconds: int = Field(
        default=20, ge=1, le=30, description="How long one attempt at a webhook takes, at most."
    )
    webhook_days_kept: int = Field(
        default=30,
        ge=7,
        le=3660,
        description="How long deliveries that ended, and what was answered, are shown, in days.",
    )

    challenge_domain: str = Field(
        default="",
        max_length=255,
        pattern=r"^[A-Za-z0-9.:\[\]-]*$",
        description="Who asks payers to prove that an address is theirs, as their wallets show it: your domain; "
        "`host` and `port` when empty.",
    )
    challenge_seconds: int = Field(
        default=900,
        ge=30,
        le=86_400,
        description="How long such a challenge can be signed, in seconds.",
    )

    requests_per_minute_max: PositiveInt = Field(
        default=1_200_000, description="Requests a minute that one API key may make."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="What is logged, to stderr."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="How it is logged."
    )

    @property
    def archive_directory(self) -> Path:
        """Where archives are."""
        return self.data_dir / "archives" if self.archive_dir is None else self.archive_dir

    @property
    def domain_of_challenges(self) -> str:
        """What challenges name."""
        return self.challenge_domain or f"{self.host}:{self.port}"

    @field_validator("data_dir", "networks_file", "archive_dir", "price_rules_file")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("segment_events")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("it is a power of two")
        return value

    @field_validator("secrets_key")
    @classmethod
    def _keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        from flamewire_ledger.security.sealing import read_keys  # who sets no key needs no cipher

        read_keys(value.get_secret_value())
        return value

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        read_networks(value)
        return value

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: SecretStr | None) -> SecretStr | None:
        return _scheme(value, "postgresql", "postgres")

    @field_validator("amqp_url")
    @classmethod
    def _amqp(cls, value: SecretStr | None) -> SecretStr | None:
        return _scheme(value, "amqp", "amqps")

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr | None) -> SecretStr | None:
        return _scheme(value, "smtp", "smtps")

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        return _scheme(value, "redis", "rediss", "unix")


class SettingsError(Exception):
    """A setting is wrong. The message is one sentence that names it and what it may be."""


def read_settings(**given: object) -> Settings:
    """The environment's settings, with what the command line gave on top (None: not given)."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def unknown_settings() -> list[str]:
    """Variables that look like settings and are none: most often a slip of the pen."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name not in known and not name.startswith(PREFIX + "TEST_")
    )


def _scheme(value: SecretStr | None, *schemes: str) -> SecretStr | None:
    if value is None or not value.get_secret_value():
        return None
    if value.get_secret_value().partition("://")[0] not in schemes:
        raise ValueError(f"it starts with {schemes[0]}://")
    return value


def _sentence(error: ValidationError) -> str:
    """The first fault, without the value: it may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else "a setting"
    reason = first["msg"].removeprefix("Value error, ")
    return f"{name} is wrong: {reason[0].lower()}{reason[1:]}."
