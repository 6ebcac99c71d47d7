"""Configuration as code: a tenant's catalogue read from YAML, compared, applied, and written back."""
