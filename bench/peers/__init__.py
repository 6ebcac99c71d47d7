"""What Andon is measured beside: other consoles, and the limits of the machine."""
