"""django-hordak as its documentation shows it: `transfer_to`, alone or many in one transaction.

Runs in an environment of its own, made from the requirements.txt beside it.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Callable

import django
import psycopg.conninfo
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from scripts.benchmarks.peers.lines import answer_lines, repeat

_ACCOUNTS = 50  # hordak keeps accounts in a tree: to open a thousand takes a minute
_AMOUNT = "0.01"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("prepare", "transfer"))
    parser.add_argument("--transfers", type=int, default=1, help="in one transaction")
    given = parser.parse_args()
    _configure()
    if given.way == "prepare":
        call_command("migrate", verbosity=0)
        _open_accounts()
    else:
        answer_lines(repeat(_transferring(given.transfers)))


def _configure() -> None:
    url = psycopg.conninfo.conninfo_to_dict(os.environ["PEER_DATABASE_URL"])
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url["dbname"],
                "HOST": url["host"],
                "PORT": url["port"],
                "USER": url["user"],
                "PASSWORD": url.get("password", ""),
                "CONN_MAX_AGE": None,
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "mptt", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        HORDAK_CURRENCIES=["USD"],
        HORDAK_INTERNAL_CURRENCY="USD",
        DEFAULT_CURRENCY="USD",
        USE_TZ=True,
        DEBUG=False,
    )
    django.setup()


def _open_accounts() -> None:
    from hordak.models import Account, AccountType  # models need the settings

    for number in range(_ACCOUNTS):
        for kind in (AccountType.asset, AccountType.liability):
            Account.objects.create(name=f"{kind}-{number}", type=kind, currencies=["USD"])


def _transferring(transfers: int) -> Callable[[], int]:
    from djmoney.money import Money  # these too
    from hordak.models import Account, AccountType

    assets = list(Account.objects.filter(type=AccountType.asset))
    liabilities = list(Account.objects.filter(type=AccountType.liability))
    pairs = itertools.cycle(zip(liabilities, assets, strict=True))
    amount = Money(_AMOUNT, "USD")

    def step() -> int:
        if transfers == 1:
            credited, debited = next(pairs)
            credited.transfer_to(debited, amount, description="call")
        else:
            with transaction.atomic():
                for credited, debited in itertools.islice(pairs, transfers):
                    credited.transfer_to(debited, amount, description="call")
        return transfers

    return step


if __name__ == "__main__":
    main()
