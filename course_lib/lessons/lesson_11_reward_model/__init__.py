"""Lesson 11: a reward model."""
