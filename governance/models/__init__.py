"""What governance keeps: one file for each noun."""

from governance.models.audit import AuditEntry

__all__ = ["AuditEntry"]
