"""Lesson 09: adapters."""
