"""Data for training: instruction rows, preferences, sentences in the wild; checked line by line."""
