"""The kill campaign: a ledger of everything sent, faults of every part, and set arithmetic over what is there after."""
