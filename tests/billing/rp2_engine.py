"""rp2's own engine, called as its command line does, without the spreadsheets.

It writes a log into the folder it is imported in: import it in one that is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from prezzemolo.avl_tree import AVLTree
from rp2.abstract_accounting_method import AbstractAccountingMethod
from rp2.accounting_engine import AccountingEngine
from rp2.configuration import MAX_DATE, MIN_DATE, Configuration
from rp2.in_transaction import InTransaction
from rp2.input_data import InputData
from rp2.out_transaction import OutTransaction
from rp2.plugin.accounting_method import fifo, hifo, lifo
from rp2.plugin.country.us import US
from rp2.rp2_decimal import RP2Decimal
from rp2.tax_engine import compute_tax
from rp2.transaction_set import TransactionSet

THEIRS: dict[str, AbstractAccountingMethod] = {
    "fifo": fifo.AccountingMethod(),
    "lifo": lifo.AccountingMethod(),
    "hifo": hifo.AccountingMethod(),
}
_INI = """
[in_header]
timestamp = 0
asset = 1
exchange = 2
holder = 3
transaction_type = 4
spot_price = 5
crypto_in = 6
[out_header]
timestamp = 0
asset = 1
exchange = 2
holder = 3
transaction_type = 4
spot_price = 5
crypto_out_no_fee = 6
crypto_fee = 7
[intra_header]
timestamp = 0
asset = 1
from_exchange = 2
from_holder = 3
to_exchange = 4
to_holder = 5
spot_price = 6
crypto_sent = 7
crypto_received = 8
[general]
assets = TAO
exchanges = hot
holders = shop
"""
Step = tuple[str, int, int | Decimal, datetime]  # in or out, units, price of a unit, when
Taken = tuple[str, str, int, int, bool]  # disposal, lot, units, gain, whether it is long


def configured(folder: Path) -> Configuration:
    path = folder / "rp2.ini"
    path.write_text(_INI)
    return Configuration(str(path), US())


def theirs(steps: Sequence[Step], method: str, configuration: Configuration) -> list[Taken]:
    span: tuple[date, date] = (MIN_DATE, MAX_DATE)
    sets = {
        name: TransactionSet(configuration, name, "TAO", *span) for name in ("IN", "OUT", "INTRA")
    }
    for number, (kind, units, price, at) in enumerate(steps):
        shared = (configuration, at.isoformat(), "TAO", "hot", "shop")
        if kind == "in":
            entry = InTransaction(
                *shared, "Buy", RP2Decimal(price), RP2Decimal(units), row=number + 1
            )  # fmt: skip
            sets["IN"].add_entry(entry)
        else:
            out = OutTransaction(
                *shared, "Sell", RP2Decimal(price), RP2Decimal(units), RP2Decimal(0), row=number + 1
            )  # fmt: skip
            sets["OUT"].add_entry(out)
    methods: AVLTree[int, AbstractAccountingMethod] = AVLTree()
    methods.insert_node(MIN_DATE.year, THEIRS[method])
    data = InputData("TAO", sets["IN"], sets["OUT"], sets["INTRA"])
    computed = compute_tax(configuration, AccountingEngine(methods), data)
    return [
        (
            str(it.taxable_event.row - 1),
            str(it.acquired_lot.row - 1),
            int(it.crypto_amount),
            int(it.fiat_gain),
            it.is_long_term_capital_gains(),
        )
        for it in computed.gain_loss_set
    ]
