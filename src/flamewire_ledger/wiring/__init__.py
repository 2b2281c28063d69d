"""Settings in, running parts out; the only package that names concrete adapters."""

from flamewire_ledger.wiring.ledger import Ledger, migrate_database, open_ledger

__all__ = ["Ledger", "migrate_database", "open_ledger"]
