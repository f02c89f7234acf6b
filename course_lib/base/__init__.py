"""What everything stands on: errors, paths, silence, files of lines, the machine, the record of a run."""

from .quiet import printable

printable()  # printing is never what a run fails on
