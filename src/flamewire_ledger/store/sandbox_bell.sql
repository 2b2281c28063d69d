-- listen: be told that somebody plays in the sandbox.
LISTEN flamewire_sandbox;

-- ring: tell everybody that something of this name has changed: a chain's id, or the clock.
SELECT pg_notify('flamewire_sandbox', %(name)s);
