"""What is compiled where a C compiler is there, and how: the modules of the main line as they are, and the walk.

All of it runs without: the same sources in Python do the same at several times the CPU.
"""
