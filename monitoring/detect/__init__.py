"""Detectors: each looks at one kind of window and concludes what is wrong in it, or nothing."""
