"""A month of the gateway, played in half a minute: its customers, its payers, and the proof."""
