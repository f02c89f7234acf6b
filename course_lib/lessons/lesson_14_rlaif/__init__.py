"""Lesson 14: reinforcement learning from AI feedback."""
