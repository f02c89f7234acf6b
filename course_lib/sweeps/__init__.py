"""Reference runs, one module a lesson (`lesson_<name>.py`): `jobs()` yields `(key, work)`.

`key` is a flat dictionary of settings, seed included; `work()` returns a flat dictionary of metrics. `course sweep` runs them
and keeps the results in `data/reference/<name>.jsonl`.
"""
