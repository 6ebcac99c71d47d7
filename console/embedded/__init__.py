"""The servers Andon brings along for a machine that has none: PostgreSQL and Valkey, on Unix sockets only."""
