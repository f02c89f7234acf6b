"""What everything stands on: errors, paths, silence, files of lines, the machine, the record of a run."""
