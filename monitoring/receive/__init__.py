"""Taking requests in: what arrives is bounded, unpacked and recognised before anything reads it."""
