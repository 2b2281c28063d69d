"""Mail, and a server on this machine that takes it."""
