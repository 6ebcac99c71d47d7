"""What people may read, one noun a file. Each takes the Viewer; what the viewer may not see does not exist."""
