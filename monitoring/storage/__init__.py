"""What becomes of the intake log with time: its days are made ahead, counted, and dropped when nobody needs them."""
