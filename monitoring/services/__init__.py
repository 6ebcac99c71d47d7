"""What people do to monitoring's objects, one noun a file: atomic, audited in the same transaction."""
