"""Lesson 13: direct preference optimization."""
