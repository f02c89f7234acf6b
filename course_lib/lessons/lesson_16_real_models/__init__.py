"""Lesson 16: real models, own data, beyond one machine."""
