"""What the database itself enforces: keys, policies, grants and audit triggers, as migration operations."""
