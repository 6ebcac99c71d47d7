"""Commands of `manage.py` that wire the floors together."""
