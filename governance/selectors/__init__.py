"""What people may read of governance, one noun a file."""
