"""What the alert pages say: filters, story, evidence, next steps."""
