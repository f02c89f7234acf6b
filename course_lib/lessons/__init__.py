"""What belongs to one lesson: exercises, reference runs, claims, pictures; and the machinery that they share."""
