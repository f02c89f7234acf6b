"""The exercises of each lesson: checks, hints, solutions and plausible wrong answers."""
