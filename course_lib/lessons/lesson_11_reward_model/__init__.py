"""Lesson 11: a reward model from preference pairs."""
