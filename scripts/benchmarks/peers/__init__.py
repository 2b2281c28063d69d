"""`scripts/bench peers`: the same work done by others, on the same Postgres in the same run.

The work is one debit and one credit between two accounts, on disk before it is acknowledged: fsync
and synchronous_commit are on, and all databases are of one server with the settings of `flamewire
up`. Runs of all contenders take turns, equally long, each after a checkpoint; the first round is
not counted, a value is the median of the others. After each run the database must hold what was
acknowledged and both its sides, else there is no figure.

What is comparable: each records who is debited and credited, how much and why. What is not:

* Ours is measured through HTTP, from a process that shares the two cores; its answers are checked,
  and a repeat of a command's key changes nothing. The others are called in their own process, and
  none of them knows a repeat. Each side of ours is kept in one event; read models are built later
  by another process, which does not run here, and neither does anything of the kind for peers.
* `eventsourcing`: get two aggregates from the repository, whose cache is on, trigger an event on
  each, and save both in one `app.save`. In the rows `app.save alone` the program keeps the aggregates
  and the repository is left out, which no application could. `100 bare events` leaves the aggregates
  out too: nothing is decided, so it has no aim.
* django-hordak: `transfer_to`, two legs and a transaction; its triggers check both. It looks at no
  balance; ours refuses what an account has not got.
* emmett: `appendToStream` with the expected version; one event has both sides, nothing is decided.
* Postgres: pgbench inserts a thousand rows, as large as ours in `events`, and commits.

How many processes and requests in flight each has is in its name: the number that did best on two
cores. Peers come from their registries when this runs, pinned, into `.cache/peers`. One that cannot
be had is a row that missed its aim and says what to install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.benchmarks.figure import Figure
    from scripts.benchmarks.options import Options


def run(options: Options) -> list[Figure]:
    # Imported late: the peers' programs are in this package and run where the ledger is not installed.
    from scripts.benchmarks.peers.comparison import compare

    return compare(options)
