"""Forms: what a person typed becomes what a service takes, or a plain sentence beside the field."""
