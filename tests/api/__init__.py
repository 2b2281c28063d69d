"""The API in process: real commands, a real store in memory, sandbox chains and prices."""
