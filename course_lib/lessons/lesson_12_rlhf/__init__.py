"""Lesson 12: reinforcement learning from a reward model, by hand and with TRL, and what it does to a wrong reward."""
