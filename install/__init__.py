"""What `make install` runs before anything is installed: the standard library is all it may use."""
