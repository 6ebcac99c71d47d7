"""The reference plant: five plants' systems as real clients of the console."""
