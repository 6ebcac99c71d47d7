"""One command per module; the file name is the command."""
