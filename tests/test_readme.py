"""The figures on the README's first screen are those of the committed runs."""

from __future__ import annotations

from pathlib import Path

from course_lib.lessons.exercise import lesson_names
from course_lib.lessons.real import show

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_picture_and_the_headline_say_what_was_measured():
    told = (ROOT / "data" / "reference" / "real" / "both.txt").read_text(encoding="utf-8").strip()
    assert f"![{told}](data/reference/real/both.png)" in README
    value, low, high = (
        100 * v for v in show.interval([r for r in show.runs("smollm2", "LoRA") if r["key"]["rows"] == 1024])
    )
    assert f"**{value:.0f} % ({low:.0f} to {high:.0f})**" in README
    prompted = 100 * show.interval([show.chosen_prompt("smollm2")]).value
    tried = sum("drawn again" not in row["key"]["prompt"] for row in show.runs("smollm2", "base, prompted"))
    count = {5: "five", 6: "six", 7: "seven"}[tried]
    assert f"The best of {count} prompts brings {prompted:.0f} %" in README
    asked = show.interval(show.runs("smollm2", "base, asked plainly"))
    assert asked.low < 1 / 3 < asked.high  # "as often as a guess"


def test_every_lesson_is_listed_and_no_other():
    for name in lesson_names():
        assert f"(notebooks/{name}.ipynb)" in README
    assert README.count("](notebooks/") == len(lesson_names()) + README.count("](notebooks/glossary.md)")
