"""`python -m flamewire_ledger` is `flamewire`."""

from flamewire_ledger.cli import main

if __name__ == "__main__":
    main()
