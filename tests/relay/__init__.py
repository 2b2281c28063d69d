"""The relay: what was committed reaches those who read, in order, whatever the broker does."""
