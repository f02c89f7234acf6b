"""The same techniques on a real language model of 135M parameters, under one protocol with the course's own: `cl.reference.real(…)`.

`protocol` says what is asked and how it is scored, `prompts` how the untrained model is asked, `jobs` which runs there are (`sweep`), and
`show` reads them: a table a technique, and the picture with both models.
"""

from .show import draw, real, runs

__all__ = ["draw", "real", "runs"]
