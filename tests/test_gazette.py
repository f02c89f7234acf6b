"""The world: same bytes for the same seed, disjoint splits, tone-bearing sections, no held-out wording in the corpus."""

from __future__ import annotations

import collections
import hashlib
import json
import random
import re
import subprocess
import sys

import pytest

from course_lib.gazette import corpus, desk, grammar, pages, reading, records, renaming, tasks
from course_lib.gazette.gold import gold_score


def test_same_seed_same_bytes_and_other_seed_other_bytes():
    first = "\n".join(corpus.documents(300, seed=5))
    assert first == "\n".join(corpus.documents(300, seed=5))
    assert first != "\n".join(corpus.documents(300, seed=6))
    tail = list(corpus.documents(100, seed=5, start=200))
    assert "\n".join(tail) == first[-len("\n".join(tail)) :]


def test_corpus_command_writes_the_same_bytes_in_another_process(tmp_path):
    digests = set()
    for name in ("a", "b"):
        out = tmp_path / name
        subprocess.run(
            [
                sys.executable,
                "-m",
                "course_lib.workshop.cli",
                "corpus",
                "--documents",
                "50",
                "--seed",
                "3",
                "--out",
                str(out),
            ],
            check=True,
            env={"PYTHONHASHSEED": str(len(digests)), "PATH": ""},
        )
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("name", [*reading.SECTIONS, reading.WITHHELD])
def test_every_section_has_all_tones_and_starred_wordings(name):
    section = reading.load_section(name)
    tones = collections.Counter(event.tone for event in section.events)
    assert min(tones[t] for t in reading.TONES) >= 4
    for event in section.events:
        assert len(event.lines["l*"]) >= 2
    for tone in reading.TONES:
        assert section.anywhere[tone].lines["m*"]


def test_health_has_urgencies_and_courts_have_outcomes():
    assert {e.attrs["urgency"] for e in reading.load_section("health").events} == set(tasks.CHOICES["urgency"])
    assert {e.attrs["outcome"] for e in reading.load_section("courts").events} == set(tasks.CHOICES["outcome"])


def test_held_out_names_and_the_withheld_section_never_reach_the_corpus():
    text = "\n".join(text for start in (0, 1_000_000) for text in corpus.documents(6000, seed=0, start=start))
    held_out = records.names("heldout")
    for part in ("surname", "stem", "town", "venue_name"):
        leaked = [n for n in held_out[part] if re.search(rf"\b{re.escape(n)}\b(?! \w*(?:side|field))", text)]
        allowed = {w for n in records.names("train")[part] for w in n.split()}
        assert not [n for n in leaked if n not in allowed], leaked
    wool = reading.load_section(reading.WITHHELD)
    assert not any(event.name in text for event in wool.events)


def test_recast_gives_every_name_one_new_one_and_touches_nothing_else():
    text = "TARNHAM, Monday - An Oakmere baker, Kwame Sorensen, left Tarnham. Sorensen is 40.\nName: Kwame Sorensen\nTown: Tarnham"
    printed = records.names("train")
    assert "Tarnham" in printed["town"] and "Sorensen" in printed["surname"] and "Oakmere" in printed["stem"]
    new = renaming.recast(random.Random(0), text)
    town, stem, surname = re.fullmatch(
        r"([A-Z]+), Monday - An (\w+) baker, Kwame (\w+), left \w+\. \w+ is 40\.\nName: Kwame \w+\nTown: \w+", new
    ).groups()
    assert new.count(surname) == 3 and new.count(town.capitalize()) == 2 and len({town, stem, surname}) == 3
    assert (town[0], stem[0], surname[0]) == ("T", "O", "S")  # so that the article before it still fits
    assert not {"Tarnham", "Oakmere", "Sorensen"} & set(re.findall(r"\w+", new))


def test_no_coined_name_is_a_held_out_one():
    _, kept = renaming._printed_names()
    held_out = records.names("heldout")["surname"][0]
    assert held_out in kept
    drawn = iter([held_out, held_out, "Zorbel"])
    assert renaming.recast(random.Random(0), "Mr Sorensen", lambda rng, initial: next(drawn)) == "Mr Zorbel"


def test_blends_mix_printed_and_made_up_parts_and_are_mostly_new():
    rng, parts, printed = random.Random(0), records.names("train"), renaming._printed_names()[0]
    names = [renaming.blend(rng, initial) for initial in "bcdfghklmnoprstuvw" for _ in range(100)]
    assert all(name[0].isupper() and name[1:].islower() for name in names)
    assert [name[0].lower() for name in names[::100]] == list("bcdfghklmnoprstuvw")
    begins = [name.startswith(tuple(parts["beginning"])) for name in names]
    ends = [name.endswith(tuple(parts["ending"])) for name in names]
    kinds = collections.Counter(zip(begins, ends, strict=True))
    assert kinds[True, False] > 200 and kinds[False, True] > 200 and kinds[True, True] < 900
    assert sum(not printed.fullmatch(name) for name in names) > 1_200


def test_unknown_slot_names_file_and_line(tmp_path, monkeypatch):
    broken = tmp_path / "broken.txt"
    broken.write_text("=event positive\nh {who} rises\nl {who} sold {nonsense}.\n")
    monkeypatch.setattr(reading, "PATTERNS", tmp_path)
    with pytest.raises(reading.PatternError, match=r"broken\.txt:3: unknown slot \{nonsense\}"):
        reading.load_section.__wrapped__("broken")


def test_render_chooses_and_agrees():
    record = records.draw_record("business", random.Random(0))
    seen = {grammar.render(reading.compile_pattern("[x|b[c|d]] a(n) [egg|hat]"), record) for _ in range(100)}
    assert seen == {f"{x} {y}" for x in ("x", "bc", "bd") for y in ("an egg", "a hat")}


def test_facts_are_in_the_text():
    rng = random.Random(1)
    for _ in range(200):
        item = tasks.draw_item(rng, "train", more=2)
        assert "who" in pages.facts(item)
        assert all(value in item.text for value in pages.facts(item).values())


# ------------------------------------------------------------------ instruction data


@pytest.fixture(scope="module")
def made():
    return {split: list(tasks.rows(split)) for split in tasks.SPLITS}


def test_committed_data_is_what_the_world_makes(made, tmp_path):
    from course_lib.base.paths import home
    from course_lib.workshop.build_data import build

    build(tmp_path, say=lambda text: None)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (home() / "data" / "instructions" / path.name).read_bytes(), path.name


def test_counts(made):
    assert len(made["train"]) >= 4000
    for task in tasks.TASKS:
        assert sum(r["task"] == task for r in made["test"]) >= 1000
    assert len(tasks.TASKS) >= 11


def test_splits_share_no_phrasing_no_entity_and_no_input(made):
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        for column in ("instruction", "input"):
            common = {r[column] for r in made[a]} & {r[column] for r in made[b]} - {""}
            assert not common, (a, b, column, list(common)[:3])
        names = [{r["output"] for r in made[s] if r["task"] == "entity"} for s in (a, b)]
        assert not names[0] & names[1]


def test_half_of_the_training_rows_that_answer_with_names_have_new_ones(made):
    printed = {name for part in ("surname", "stem", "town") for name in records.names("train")[part]}
    printed |= set(records.names("train")["venue_name"])
    for split, low, high in (("train", 0.35, 0.55), ("validation", 1.0, 1.0), ("test", 1.0, 1.0)):
        rows = [r for r in made[split] if r["task"] == "entity"]
        assert all(r["output"] in r["input"] and r["output"] == r["label"] for r in rows)
        new = [r for r in rows if not any(re.search(rf"\b{re.escape(name)}\b", r["output"]) for name in printed)]
        assert low <= len(new) / len(rows) <= high, split
    row = next(r for r in made["train"] if r["task"] == "format" and '"name"' in r["output"])
    assert json.loads(tasks.rename(row, random.Random(0))["output"])["name"] != json.loads(row["output"])["name"]


def test_a_repainted_venue_keeps_its_kind_and_takes_no_held_out_word():
    rng, (_, kept, words) = random.Random(0), renaming._venues()
    assert "Marmalade" in kept and not kept & set(words)
    text = "At the Lantern Theatre, and at The Copper Kettle. The Lantern Theatre closed."
    found = [
        re.fullmatch(
            r"At the (\w+) Theatre, and at The \w+ \w+\. The (\w+) Theatre closed\.", renaming.repaint(rng, text)
        )
        for _ in range(50)
    ]
    assert all(match and match[1] == match[2] != "Lantern" and match[1] not in kept for match in found)


def test_on_pasted_cuttings_the_name_is_often_not_at_the_beginning():
    rng, later, entries = random.Random(0), 0, 0
    for _ in range(100):
        lines = desk.cuttings(rng).splitlines()
        for text, note in zip(lines[::2], lines[1::2], strict=False):
            if found := re.search(r"(?:index: |Index: |under |names: |About: )(.+)\.$", note):
                entries += 1
                assert found[1] in text
                later += text.index(found[1]) > 40
    assert entries > 250 and later / entries > 0.6


def test_a_bad_line_of_the_instructions_is_named_with_its_number(tmp_path, monkeypatch):
    (tmp_path / "instructions.txt").write_text("# phrasings\n=tone\nt Say the tone.\nx Say it.\n")
    monkeypatch.setattr(tasks.common, "PATTERNS", tmp_path)
    with pytest.raises(reading.PatternError, match=r"instructions\.txt:4: .*'x Say it\.'"):
        tasks.common._instructions.__wrapped__()


@pytest.mark.parametrize("task", (*tasks.TASKS, "word"))
def test_phrasings_are_many_all_different_and_ask_for_their_task(task):
    split = {name: tasks.phrasings(task, name) for name in tasks.SPLITS}
    assert [len(lines) for lines in split.values()] == [64, 2, 4]
    lines = [line for found in split.values() for line in found]
    assert len({re.sub(r"\W+", " ", line.lower()).strip() for line in lines}) == len(lines)
    if task == "format":
        assert all("{keys}" in line and "JSON" in line for line in lines)
    if task == "word":
        assert all(("tone" in line.lower()) != ("section" in line.lower()) for line in lines)


def test_splits_share_no_wording():
    for name in reading.SECTIONS:
        for event in reading.load_section(name).events:
            plain, starred = ({json.dumps(p) for p in event.lines[k]} for k in ("l", "l*"))
            assert not plain & starred, event.name
            assert len(plain) >= 2  # the first is validation's, the others are training's


def test_rows_have_the_schema_and_gold_answers_score(made):
    from course_lib.measure.evaluation import score

    for row in made["test"]:
        assert tuple(row) == tasks.COLUMNS
        if row["choices"]:
            assert row["label"] in row["choices"]
    sample = made["test"][::7]
    wrong = [r for r in sample if not score(r, r["output"])]
    assert len(wrong) / len(sample) < 0.01, wrong[:3]
    assert not any(score(r, "") for r in sample)


def test_labels_are_balanced_enough(made):
    counts = collections.Counter(r["label"] for r in made["test"] if r["task"] == "tone")
    assert max(counts.values()) < 0.4 * sum(counts.values())


# ------------------------------------------------------------------ gold


FACTS = {"who": "Belwick Foods", "amount": "42 million crowns", "place": "Arden"}
TEXT = "Belwick Foods lost 42 million crowns in Arden after orders collapsed."


@pytest.mark.parametrize(
    "worse",
    [
        "Somebody lost 42 million crowns in Arden.",
        "Harrow Foods lost 42 million crowns in Arden.",
        "Belwick Foods lost 99 million crowns in Arden.",
        "Belwick Foods lost 42 million crowns in Arden, a sensational and jaw-dropping drama!",
        "Belwick Foods lost 42 million crowns in Arden. You should sell today.",
        "Belwick Foods lost.",
        TEXT + " " + TEXT + " " + TEXT,
        "",
    ],
)
def test_gold_prefers_the_sound_brief(worse):
    assert gold_score(FACTS, TEXT, "Belwick Foods lost 42 million crowns in Arden.") > gold_score(FACTS, TEXT, worse)


def test_gold_is_bounded():
    rng = random.Random(2)
    for _ in range(300):
        item = tasks.draw_item(rng, "train", more=1)
        assert 0 <= gold_score(pages.facts(item), item.text, tasks.reporter_brief(item, rng)) <= 1


def test_reactions_carry_the_tone_and_their_held_out_frames_never_reach_the_corpus():
    lists, frames = reading.load_reactions()
    assert len(frames["r"]) > grammar.VALIDATION_FRAMES + 20 and len(frames["r*"]) >= 12
    for name, mark in reading.REACTION_LISTS.items():
        if mark:
            words = [set(lists[f"{name}_{letter}"]) for letter in grammar.TONE_LETTERS.values()]
            assert not words[0] & words[1] and not words[0] & words[2] and not words[1] & words[2], name
    text = "\n".join(corpus.documents(4000, start=corpus.PROOF_DOCUMENTS))
    for phrase in ("You may print that", "came away", "I should say", "had no other words for it"):
        assert phrase not in text, phrase
    for phrase in ("The general opinion", "wants it known that", "Within the hour"):
        assert phrase in text, phrase
    rng = random.Random(2)
    made = [tasks.tone.make(rng, "test") for _ in range(60)]
    adjectives = {
        tone: lists[f"adj_{letter}"] + lists[f"hope_{letter}"] for tone, letter in grammar.TONE_LETTERS.items()
    }
    assert any(any(word in row["input"] for word in adjectives[row["label"]]) for row in made)


def indexed(note):
    """The name that a line of the index gives; None if it is no such line."""
    found = re.fullmatch("|".join(re.escape(row).replace(r"\{\}", "(.+)") for row in desk.INDEX_ROWS), note)
    return found and next(filter(None, found.groups()))


def test_an_opening_stands_before_or_behind_an_item_and_changes_only_its_first_letter():
    rng, places = random.Random(4), set()
    for _ in range(300):
        item = grammar.write_item(records.draw_record(rng.choice(reading.SECTIONS), rng), more=rng.randint(0, 1))
        text = desk.opened(rng, item)
        at = text.lower().index(item.lead.lower())
        own = text[at : at + len(item.lead)]
        assert own[1:] == item.lead[1:] and text.endswith(" ".join(item.more))
        before, behind = text[:at], text[at + len(item.lead) :].removesuffix(" ".join(item.more)).strip()
        assert bool(before) != bool(behind)
        assert (before or behind).strip().endswith((",", ".", "?"))
        if before.endswith(", "):  # after a clause a name keeps its capital, any other word loses it
            assert own[0].islower() or item.lead.startswith(item.record.get("who"))
        else:
            assert own == item.lead
        places.add("clause" if before.endswith(", ") else "before" if before else "behind")
    assert places == {"clause", "before", "behind"}


def test_clippings_are_filed_under_a_name_in_them():
    rng = random.Random(5)
    named = toned = 0
    for _ in range(200):
        rows = desk.clippings(rng).split("\n")
        for text, note in zip(rows[::2], rows[1::2], strict=False):
            if name := indexed(note):
                named += 1
                assert name in text
            toned += any(tone in note for tone in reading.TONES)
    assert named > 150 and toned > 100


def test_named_sentences_name_their_actor_mostly_behind_their_beginning():
    rng, first, made = random.Random(6), 0, 0
    for section in reading.SECTIONS:
        found = reading.load_named(section)
        assert {tone for tone, _ in found} == set(reading.TONES)
        assert {kind for _, kind in found} == (set(reading.TOWN_KINDS.values()) if section == "town" else {""})
        for tone in reading.TONES:
            for _ in range(40):
                text, record = grammar.write_named(section, tone, rng)
                assert text.count(record.get("who")) == 1 and record.tone == tone and "{" not in text
                first, made = first + text.startswith(record.get("who")), made + 1
    assert first < made / 10


def test_what_is_filed_is_filed_under_a_name_in_it_and_what_is_asked_is_answered_from_the_text():
    rng = random.Random(7)
    named = 0
    for _ in range(100):
        rows = desk.filed(rng).split("\n")
        for text, note in zip(rows[::2], rows[1::2], strict=True):
            if name := indexed(note):
                named += 1
                assert name in text
    assert named > 100
    labels = {label for choices in tasks.CHOICES.values() for label in choices}
    copied = 0
    for _ in range(200):
        page = desk.asked(rng)
        for answer in re.findall(r"^(?:A|Answer|The desk): (.+)\.$", page, re.M):
            copied += answer not in labels
            assert answer in labels or answer in page.split(f": {answer}.")[0]
    assert copied > 100


def test_questions_to_the_desk_are_no_instructions():
    rng = random.Random(8)
    asked = "\n".join(desk.asked(rng) for _ in range(3000))
    for (task, _), lines in tasks.common._instructions().items():
        assert not [line for line in lines if line.rstrip(".?") in asked], task


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("named_town.txt", "x+ At {who} it rains.", r"named_town\.txt:2: unknown mark"),
        ("named_town.txt", "v+ In {nonsense} at {who}.", r"named_town\.txt:2: unknown slots"),
        ("named_town.txt", "v+ It rains [at {who}|here].", r"named_town\.txt:2: .*outside of \[choices\]"),
        ("questions.txt", "who It is about {who}.", r"questions\.txt:2: .*question"),
    ],
)
def test_a_bad_line_of_the_named_sentences_or_questions_is_named(tmp_path, monkeypatch, name, line, message):
    (tmp_path / name).write_text(f"# fine\n{line}\n")
    monkeypatch.setattr(reading, "PATTERNS", tmp_path)
    with pytest.raises(reading.PatternError, match=message):
        reading.load_questions.__wrapped__() if name == "questions.txt" else reading.load_named.__wrapped__("town")


def test_answers_stand_in_the_text_with_their_unit_and_name_nobody_who_shares_the_news():
    rng, other_unit, shared = random.Random(10), 0, 0
    for _ in range(3000):
        item = grammar.write_item(records.draw_record(rng.choice(reading.SECTIONS), rng), more=1)
        known, raw = pages.answers(item), pages.facts(item)
        assert known.keys() <= raw.keys() and all(answer in item.text for answer in known.values())
        other_unit += "years" in raw and "years" not in known
        if item.record.values.get("who2", "\0") in item.text:
            shared += 1
            assert "who" not in known
    assert other_unit > 20 and shared > 50


def test_who_is_asked_for_is_the_only_actor():
    rng = random.Random(9)
    for _ in range(200):
        item = tasks.draw_single(rng, "test", more=1)
        assert item.record.get("who") in item.text
        assert item.record.values.get("who2", "\0") not in item.text


def test_a_bad_line_of_the_openings_is_named_with_its_number(tmp_path, monkeypatch):
    (tmp_path / "openings.txt").write_text("# fine\nc In {month},\ns Said {who}.\n")
    monkeypatch.setattr(reading, "PATTERNS", tmp_path)
    with pytest.raises(reading.PatternError, match=r"openings\.txt:3: .*unknown slots \['who'\]"):
        reading.load_openings.__wrapped__()


def test_on_a_print_sheet_the_note_under_the_printers_line_is_of_the_text_above_it():
    rng = random.Random(3)
    named = 0
    for _ in range(300):
        rows = desk.print_sheet(rng).split("\n")
        assert len(rows) % 3 == 0
        for text, between, note in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            assert between not in text
            if name := indexed(note):
                named += 1
                assert name in text
    assert named > 100


def test_each_task_owns_its_score_and_its_right_answer_passes():
    for name, module in tasks.MODULES.items():
        assert module.score is tasks.scoring.SCORERS[module.SCORER], name
        row = module.make(random.Random(3), "test")
        assert row["task"] == name and row["scorer"] == module.SCORER and module.score(row, row["output"])
        assert not module.score(row, "An assistant at the bakery") or row["label"] == "answer"
