"""`flamewire …`: one file a group of commands, no rules in them. An error is one sentence, never a traceback."""

from __future__ import annotations

import sys


def main() -> None:
    """The console script. Ends the process with the exit codes of cli/faults.py."""
    from flamewire_ledger.cli.commands import run  # late: `flamewire --help` needs none of it

    sys.exit(run(sys.argv[1:]))
