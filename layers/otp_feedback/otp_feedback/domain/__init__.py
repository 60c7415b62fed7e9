"""The rules: pure values and functions, without a clock, randomness or I/O of their own."""
