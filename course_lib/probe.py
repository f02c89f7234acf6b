"""`course probe`: is the base model what the course says it is? Nine gates, each measured, each with its interval.

The gates are for the base model only; what the *methods* of the lessons then do is reported as it comes. `holds` is judged
on the point estimate.
"""

from __future__ import annotations

import json
import random
import re
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from .data import load_in_the_wild, load_instructions, prompt_text
from .evaluation import evaluate, generate, label_offered, perplexity, wilson
from .gazette import corpus
from .gazette.gold import gold_score
from .gazette.tasks import TONES, draw_item, phrasings, reporter_brief
from .models import base_model_folder, load_model
from .training import train

BUDGET = 120_000  # non-padding tokens for the unlocking run
ROWS = 4_000
NOTE = "\nDesk note. Tone:"
UNSEEN_SEED = 777  # documents of this seed are never trained on
LEARNING_RATE = 5e-4  # of 5e-4, 1e-3 and 2e-3 the best on the validation split


@dataclass
class Bar:
    """One gate: measured value with its interval, the bar it must keep, and whether it does."""

    name: str
    value: float
    low: float
    high: float
    bar: str
    holds: bool
    details: dict = field(default_factory=dict)


class WellFormed:
    """Is a sentence Gazette English? Begins and ends like a sentence, quotes closed, and every word triple has been printed.

    Names, numbers and other capitalised words count as one word each (`N` and `#`), so new names do no harm. The triples come
    from `documents` documents that the check is given, not from the model.
    """

    def __init__(self, documents: int = 60_000, seed: int = 0) -> None:
        self.known: set[tuple[str, ...]] = set()
        for text in corpus.documents(documents, seed):
            for sentence in self.split(text):
                self.known.update(self._triples(sentence))

    @staticmethod
    def split(text: str) -> list[str]:
        """Sentences of a text, one line at a time."""
        parts = []
        for line in text.splitlines():
            parts += re.split(r'(?<=[.!?])\s+(?=[A-Z"0-9])|(?<=[.!?]")\s+(?=[A-Z"0-9])', line)
        return [p for p in parts if len(p.split()) > 3]

    @staticmethod
    def _triples(sentence: str) -> list[tuple[str, ...]]:
        words = re.findall(r"[A-Za-z']+|\d[\d.,]*|[^\sA-Za-z\d]", sentence)
        words = ["N" if w[0].isupper() and i else "#" if w[0].isdigit() else w.lower() for i, w in enumerate(words)]
        merged = [w for i, w in enumerate(words) if not (w == "N" and i and words[i - 1] == "N")]
        padded = ["^", *merged, "$"]
        return list(zip(padded, padded[1:], padded[2:], strict=False))

    def __call__(self, sentence: str) -> bool:
        whole = sentence[:1].isupper() or sentence[:1] in '"0123456789'
        closed = sentence.rstrip('"')[-1:] in ".?!" and sentence.count('"') % 2 == 0
        return whole and closed and all(triple in self.known for triple in self._triples(sentence))


class Probe:
    """Measures the gates of one model folder; each part runs once and is shared."""

    def __init__(self, folder: str | Path | None = None, items: int = 1000, say: Callable[[str], None] = print) -> None:
        self.folder = Path(folder) if folder else base_model_folder()
        self.items, self.say = items, say

    @cached_property
    def base(self):
        return load_model(self.folder)

    @cached_property
    def tone_test(self):
        return load_instructions("tone")["test"].select(range(self.items))

    def size(self) -> Bar:
        model, _ = self.base
        count = model.num_parameters()
        megabytes = sum(p.stat().st_size for p in self.folder.glob("*.safetensors")) / 1e6
        return Bar(
            "parameters; size in the repository", count, count, count, "≤ 12M parameters and ≤ 25 MB, safetensors",
            count <= 12e6 and 0 < megabytes <= 25, {"megabytes": round(megabytes, 2)},
        )  # fmt: skip

    def fluency(self, temperature: float = 1.0) -> Bar:
        """Sampled documents, cut into sentences. Controls: the same check on printed and on shuffled sentences."""
        model, tokenizer = self.base
        rng = random.Random(UNSEEN_SEED)
        news = [corpus.news(rng) for _ in range(500)]
        check = WellFormed()
        samples = generate(
            model, tokenizer, [""] * 480, chat=False, max_new_tokens=110, temperature=temperature, seed=UNSEEN_SEED
        )
        sentences = [s for text in samples for s in check.split(text.rsplit("\n", 1)[0]) if _is_prose(s)]
        complete = [s for s in sentences if s.rstrip('"')[-1:] in ".?!"]
        printed = [s for text in news for s in check.split(text) if _is_prose(s)]
        shuffled = [" ".join(rng.sample(s.split(), len(s.split()))) for s in printed]
        good = sum(map(check, complete))
        low, high = wilson(good, len(complete))
        share = good / len(complete)
        details = {
            "n": len(complete),
            "temperature": temperature,
            "held_out_perplexity": round(perplexity(model, tokenizer, news), 3),
            "printed_sentences": round(sum(map(check, printed)) / len(printed), 3),
            "shuffled_sentences": round(sum(map(check, shuffled)) / len(shuffled), 3),
            "faulty": [s for s in complete if not check(s)][:10],
        }
        return Bar("fluency: sampled sentences well-formed", share, low, high, "≥ 95 %", share >= 0.95, details)

    def knowledge(self) -> Bar:
        """The label as the freely generated next word of a desk note, held-out names and wordings."""
        model, tokenizer = self.base
        rows = list(self.tone_test)
        replies = generate(model, tokenizer, [r["input"] + NOTE for r in rows], chat=False, max_new_tokens=2)
        right = [reply.strip().startswith(r["label"]) for r, reply in zip(rows, replies, strict=True)]
        by_domain = {
            d: round(statistics.mean(x for x, r in zip(right, rows, strict=True) if r["domain"] == d), 3)
            for d in sorted({r["domain"] for r in rows})
        }
        return _share("latent knowledge: tone completed in a desk note", right, "≥ 90 %", 0.9, by_domain)

    def obedience(self) -> Bar:
        """The same items asked as an instruction; beside it the share of replies that are a label, and labels offered."""
        model, tokenizer = self.base
        asked = evaluate(model, tokenizer, self.tone_test)
        labels = sum(r.strip().rstrip(".").lower() in TONES for r in asked.replies) / asked.n
        from .evaluation import chat_prompt

        offered = label_offered(
            model, tokenizer, [chat_prompt(tokenizer, prompt_text(r)) for r in self.tone_test], TONES
        )
        hits = sum(o == r["label"] for o, r in zip(offered, self.tone_test, strict=True)) / asked.n
        details = {"n": asked.n, "replies_that_are_a_label": labels, "accuracy_with_labels_offered": hits}
        details["replies"] = [r.strip()[:80] for r in asked.replies[:3]]
        bar = Bar("obedience: the same as an instruction, zero-shot", asked.value, asked.low, asked.high, "≤ 10 %",
                  asked.value <= 0.10, details)  # fmt: skip
        return bar

    @cached_property
    def unlocked(self):
        """Full fine-tuning on the mixture, within the budget of rows and tokens."""
        from .models import load_tokenizer

        data = load_instructions()["train"]
        tokenizer = load_tokenizer(self.folder)
        lengths = [
            len(tokenizer(prompt_text(r))["input_ids"]) + len(tokenizer(r["output"])["input_ids"]) + 12 for r in data
        ]
        total = count = 0
        while (
            count < min(ROWS, len(data)) and total + lengths[count] <= 0.98 * BUDGET
        ):  # the trainer fills the last batch
            total += lengths[count]
            count += 1
        run = train(data.select(range(count)), model=self.folder, learning_rate=LEARNING_RATE, quiet=True)
        self.say(f"unlocking: {run}")
        return run

    @cached_property
    def tasks(self) -> dict:
        """Test accuracy of the unlocked model, by task."""
        data = load_instructions()["test"]
        found = {}
        for task in sorted(set(data["task"])):
            keep = [i for i, t in enumerate(data["task"]) if t == task][: self.items]
            found[task] = evaluate(self.unlocked.model, self.unlocked.tokenizer, data.select(keep))
            self.say(f"  {task:9s} {found[task]}")
        return found

    def unlocking(self) -> Bar:
        result = self.tasks["tone"]
        bar = _share("unlocking: tone after full fine-tuning, held-out world", result.right, "≥ 95 %", 0.95)
        bar.details |= {"rows": self.unlocked.rows, "tokens": self.unlocked.tokens}
        return bar

    def copying(self) -> Bar:
        """Figures and names by the same model, exact match; the weaker of the two is the gate."""
        pair = {task: self.tasks[task] for task in ("number", "entity")}
        worst = min(pair, key=lambda task: pair[task].value)
        details = {task: round(r.value, 4) for task, r in pair.items()}
        return _share(
            "copying: number and name extraction, exact (the weaker)", pair[worst].right, "≥ 90 %", 0.9, details
        )

    def in_the_wild(self) -> Bar:
        data = load_in_the_wild()
        result = evaluate(self.unlocked.model, self.unlocked.tokenizer, data)
        details = {
            d: round(statistics.mean(ok for ok, r in zip(result.right, data, strict=True) if r["domain"] == d), 3)
            for d in sorted(set(data["domain"]))
        }
        return _share("in the wild: sentences written by hand (open half)", result.right, "≥ 75 %", 0.75, details)

    def headroom(self) -> Bar:
        """How many tasks end between 70 and 90 %."""
        values = {task: round(r.value, 4) for task, r in self.tasks.items()}
        inside = [t for t, r in self.tasks.items() if 0.7 <= r.value <= 0.9]
        sure = [t for t, r in self.tasks.items() if r.low >= 0.7 and r.high <= 0.9]
        maybe = [t for t, r in self.tasks.items() if r.high >= 0.7 and r.low <= 0.9]
        return Bar("headroom: tasks between 70 and 90 %", len(inside), len(sure), len(maybe), "≥ 2 tasks",
                   len(inside) >= 2, values)  # fmt: skip

    def preference(self, prompts: int = 64, samples: int = 16) -> Bar:
        """After SFT on reporters' briefs, temperature 1: variety, mean gold, best of sixteen."""
        from datasets import Dataset

        rng = random.Random(UNSEEN_SEED)
        rows = []
        for number in range(1200):
            item = draw_item(rng, "train", more=rng.choice((1, 2)))
            asked = rng.choice(phrasings("brief", "train"))
            rows.append(
                {"id": str(number), "instruction": asked, "input": item.text, "output": reporter_brief(item, rng)}
            )
        run = train(Dataset.from_list(rows), model=self.folder, learning_rate=LEARNING_RATE, quiet=True)
        items = [draw_item(rng, "test", more=rng.choice((1, 2))) for _ in range(prompts)]
        asked = [f"{rng.choice(phrasings('brief', 'test'))}\n{item.text}" for item in items]
        replies = generate(
            run.model, run.tokenizer, [p for p in asked for _ in range(samples)],
            max_new_tokens=64, temperature=1.0, seed=UNSEEN_SEED,
        )  # fmt: skip
        scores, distinct, best = [], [], []
        for i, item in enumerate(items):
            group = [r.strip() for r in replies[i * samples : (i + 1) * samples]]
            gold = [gold_score(corpus.facts(item), item.text, r) for r in group]
            scores += gold
            best.append(max(gold))
            distinct.append(len(set(group[:8])))
        mean, spread = statistics.mean(scores), statistics.stdev(scores)
        lift = (statistics.mean(best) - mean) / spread
        half = 1.96 * statistics.stdev(best) / len(best) ** 0.5 / spread
        variety = statistics.mean(distinct)
        details = {"distinct_of_8": round(variety, 2), "mean_gold": round(mean, 3), "sd": round(spread, 3),
                   "best_of_16": round(statistics.mean(best), 3), "prompts": prompts}  # fmt: skip
        return Bar(
            "room for preference: best of 16 above the mean, in standard deviations", lift, lift - half, lift + half,
            "≥ 1, ≥ 6 distinct of 8, mean gold ≤ 0.8", lift >= 1 and variety >= 6 and mean <= 0.8, details,
        )  # fmt: skip

    def run(self) -> list[Bar]:
        """All nine, in the order of the model card."""
        parts = (self.size, self.fluency, self.knowledge, self.obedience, self.unlocking, self.copying,
                 self.in_the_wild, self.headroom, self.preference)  # fmt: skip
        bars = []
        for part in parts:
            bars.append(part())
            self.say(line(bars[-1]))
        return bars


def _is_prose(sentence: str) -> bool:
    """Lists, cards, boxes and marks are not sentences."""
    return not re.search(r"<\||^\d\.|^[A-Z][\w ]{0,20}: |^\S+ - |^\(|[{}]", sentence)


def _share(name: str, right: list[bool], bar: str, least: float, details: dict | None = None) -> Bar:
    value = sum(right) / len(right)
    return Bar(name, value, *wilson(sum(right), len(right)), bar, value >= least, {"n": len(right)} | (details or {}))


def line(bar: Bar) -> str:
    """One gate as one line of text."""
    small = bar.high <= 1 and "standard" not in bar.name
    show = (lambda v: f"{100 * v:.1f} %") if small else (lambda v: f"{v:,.2f}".rstrip("0").rstrip("."))
    kept = "holds" if bar.holds else "FAILS"
    return f"[{kept}] {bar.name}: {show(bar.value)} ({show(bar.low)} to {show(bar.high)}); bar {bar.bar}"


def as_json(bars: list[Bar], details: bool = False) -> str:
    """`{"bars": [{"name", "value", "low", "high", "bar", "holds"}, …]}`; with `details` everything that was measured."""
    rows = [asdict(bar) for bar in bars]
    for row in rows:
        found = row.pop("details")
        if details:
            row["details"] = found
    return json.dumps({"bars": rows}, indent=1, ensure_ascii=False)
