"""What the ledger costs, each figure beside a reference measured in the same run: machines differ, ratios less."""
