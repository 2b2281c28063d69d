"""Who bills what an account used: of each meter one subscription at a time, so that it is billed once.

An account has one such stream, and every command that has a subscription bill a meter is decided on
it, too. Two that are sent at the same moment meet here, and the second is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, TypeAlias, assert_never

from flamewire_ledger.domain.rejection import NotAllowed

# Facts.


@dataclass(frozen=True, slots=True)
class MetersTaken:
    """From here on this subscription bills what these meters count for the account, and no other does."""

    type: ClassVar = "metered_billing.meters_taken.v1"
    account_id: str
    subscription_id: str
    meter_ids: tuple[str, ...]
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class MetersReleased:
    """Another subscription may bill these meters: this one has ended, or its plan has them no more."""

    type: ClassVar = "metered_billing.meters_released.v1"
    account_id: str
    subscription_id: str
    meter_ids: tuple[str, ...]
    released_at: datetime


MeteredBillingEvent: TypeAlias = MetersTaken | MetersReleased

# State.


@dataclass(frozen=True, slots=True)
class MeteredBilling:
    """The subscription that bills each meter."""

    by_meter: Mapping[str, str] = field(default_factory=dict)

    def held_by(self, subscription_id: str) -> set[str]:
        return {meter for meter, holder in self.by_meter.items() if holder == subscription_id}


def evolve(billing: MeteredBilling | None, event: MeteredBillingEvent) -> MeteredBilling:
    """Fold one fact into the state."""
    known = {} if billing is None else billing.by_meter
    match event:
        case MetersTaken():
            taken = dict.fromkeys(event.meter_ids, event.subscription_id)
            return MeteredBilling({**known, **taken})
        case MetersReleased():
            gone = event.meter_ids
            return MeteredBilling({meter: it for meter, it in known.items() if meter not in gone})
        case _:
            assert_never(event)


# Commands.


@dataclass(frozen=True, slots=True)
class BillMeters:
    """This subscription bills these meters from now on, and no others."""

    account_id: str
    subscription_id: str
    meter_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseMeters:
    """Of the meters that it bills, this subscription keeps no others than these."""

    account_id: str
    subscription_id: str
    kept: tuple[str, ...]
    at: datetime


MeteredBillingCommand: TypeAlias = BillMeters | ReleaseMeters


def stream_of(account_id: str) -> str:
    """An account has one stream for it, known without asking."""
    return f"mb_{account_id.partition('_')[2]}"


def decide(
    billing: MeteredBilling | None, command: MeteredBillingCommand
) -> tuple[MeteredBillingEvent, ...]:
    """Facts that follow from the command, or NotAllowed. An empty tuple: nothing new to say."""
    billing = billing or MeteredBilling()
    held = billing.held_by(command.subscription_id)
    match command:
        case BillMeters():
            _check_free(billing, command)
            new = tuple(sorted(set(command.meter_ids) - held))
            return (*_released(command, held - set(command.meter_ids)), *_taken(command, new))
        case ReleaseMeters():
            return _released(command, held - set(command.kept))
        case _:
            assert_never(command)


def _check_free(billing: MeteredBilling, command: BillMeters) -> None:
    for meter_id in command.meter_ids:
        holder = billing.by_meter.get(meter_id, command.subscription_id)
        if holder != command.subscription_id:
            raise NotAllowed(
                f"{holder} bills meter {meter_id} to this account: "
                "change or cancel that, or take another account",
                pointer="/plan",
            )


def _taken(command: BillMeters, meter_ids: tuple[str, ...]) -> tuple[MetersTaken, ...]:
    if not meter_ids:
        return ()
    return (MetersTaken(command.account_id, command.subscription_id, meter_ids, command.at),)


def _released(command: MeteredBillingCommand, gone: set[str]) -> tuple[MetersReleased, ...]:
    if not gone:
        return ()
    meter_ids = tuple(sorted(gone))
    return (MetersReleased(command.account_id, command.subscription_id, meter_ids, command.at),)
