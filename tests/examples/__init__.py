"""The programs in examples/, as far as they can be tried without a server."""
