"""`course probe`: is the base model what the course says it is? Nine gates, each measured, each with its interval.

The gates are for the base model only; what the *methods* of the lessons then do is reported as it comes. `holds` is judged
on the point estimate.
"""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.instructions import load_in_the_wild, load_instructions, prompt_text, to_messages
from ..gazette import pages
from ..gazette.gold import gold_score
from ..gazette.tasks import TONES, draw_item, phrasings, reporter_brief
from ..measure.evaluation import evaluate
from ..measure.losses import label_offered, perplexity
from ..measure.statistics import wilson
from ..methods.sft import train
from ..models.generation import generate
from ..models.identity import base_model_folder
from ..models.load import load_model
from .well_formed import WellFormed, ends, halves, is_prose

if TYPE_CHECKING:
    from datasets import Dataset


BUDGET = 120_000  # non-padding tokens for the unlocking run
ROWS = 4_000
NOTE = "\nDesk note. Tone:"
UNSEEN_SEED = 777  # documents of this seed are never trained on
# Of rates from 2e-4 to 1e-3, batches of 2 to 16 and a dozen sets of shares among the best on names, figures and tone of the validation
# split and on the open sentences written by hand. Tasks with long answers have small shares, since the loss counts tokens: one brief weighs as much as ten labels.
LEARNING_RATE, BATCH = 3e-4, 4
SHARES = {"tone": 5, "entity": 7, "number": 2, "brief": 0.5, "headline": 0.5, "format": 0.5}  # every other task 1


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


class Probe:
    """Measures the gates of one model folder; each part runs once and is shared."""

    def __init__(self, folder: str | Path | None = None, count: int = 1000, say: Callable[[str], None] = print) -> None:
        self.folder = Path(folder) if folder else base_model_folder()
        self.count, self.say = count, say

    @cached_property
    def base(self):
        return load_model(self.folder)

    @cached_property
    def tone_test(self):
        return load_instructions("tone")["test"].select(range(self.count))

    def size(self) -> Bar:
        model, _ = self.base
        count = model.num_parameters()
        megabytes = sum(p.stat().st_size for p in self.folder.glob("*.safetensors")) / 1e6
        return Bar(
            "parameters; size in the repository", count, count, count, "≤ 12M parameters and ≤ 25 MB, safetensors",
            count <= 12e6 and 0 < megabytes <= 25, {"megabytes": round(megabytes, 2)},
        )  # fmt: skip

    def fluency(self, temperature: float = 0.7) -> Bar:
        """Documents sampled at a usual temperature, cut into sentences; beside it the same at temperature 1, where rare slips are
        drawn as often as the model believes in them. Controls: printed sentences, shuffled ones, and halves of two different ones.
        """
        model, tokenizer = self.base
        rng = random.Random(UNSEEN_SEED)
        news = [pages.news(rng) for _ in range(500)]
        check = WellFormed()
        printed = [s for text in news for s in check.split(text) if is_prose(s) and ends(s)]
        shuffled = [" ".join(rng.sample(s.split(), len(s.split()))) for s in printed]
        spliced = [" ".join(halves(s)[0] + halves(rng.choice(printed))[1]) for s in printed]
        sampled = {t: self._sampled(check, t) for t in (temperature, 1.0)}
        shares = {t: sum(map(check, found)) / len(found) for t, found in sampled.items()}
        share, n = shares[temperature], len(sampled[temperature])
        details = {
            "n": n,
            "temperature": temperature,
            "at_temperature_1": round(shares[1.0], 3),
            "held_out_perplexity": round(perplexity(model, tokenizer, news), 3),
            "printed_sentences": round(sum(map(check, printed)) / len(printed), 3),
            "shuffled_sentences": round(sum(map(check, shuffled)) / len(shuffled), 3),
            "spliced_sentences": round(sum(map(check, spliced)) / len(spliced), 3),
            "faulty": [s for s in sampled[temperature] if not check(s)][:10],
            "faulty_at_temperature_1": [s for s in sampled[1.0] if not check(s)][:10],
        }
        name = f"fluency: sampled sentences well-formed, temperature {temperature:g}"
        return Bar(name, share, *wilson(round(share * n), n), "≥ 95 %", share >= 0.95, details)

    def _sampled(self, check: WellFormed, temperature: float, documents: int = 480) -> list[str]:
        """Complete prose sentences of documents that the base model writes from nothing; the cut last lines are left out."""
        texts = generate(
            *self.base, [""] * documents, chat=False, max_new_tokens=110, temperature=temperature, seed=UNSEEN_SEED
        )
        sentences = [s for text in texts for s in check.split(text.rsplit("\n", 1)[0]) if is_prose(s)]
        return [s for s in sentences if ends(s)]

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
        from ..models.generation import chat_prompt

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
        from ..models.load import load_tokenizer

        data = _shared_out(load_instructions()["train"])
        tokenizer = load_tokenizer(self.folder)
        total, chosen = 0, []
        for place, row in enumerate(to_messages(data)):
            total += len(tokenizer.apply_chat_template(row["prompt"] + row["completion"], return_dict=False))
            if len(chosen) == ROWS or total > BUDGET:
                break
            chosen.append(place)
        run = train(data.select(chosen), model=self.folder, learning_rate=LEARNING_RATE, batch_size=BATCH, quiet=True)
        self.say(f"unlocking: {run}")
        return run

    @cached_property
    def tasks(self) -> dict:
        """Test accuracy of the unlocked model, by task."""
        data = load_instructions()["test"]
        found = {}
        for task in sorted(set(data["task"])):
            rows = _of_task(data, task, self.count)
            found[task] = evaluate(self.unlocked.model, self.unlocked.tokenizer, rows)
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

    @cached_property
    def alone(self) -> dict:
        """Test accuracy by task, after full fine-tuning on that task's own training rows (the three of other gates left out)."""
        data, found = load_instructions(), {}
        for task in sorted(set(data["test"]["task"]) - {"tone", "entity", "number"}):
            rows, test = _of_task(data["train"], task), _of_task(data["test"], task, self.count)
            run = train(rows, model=self.folder, learning_rate=LEARNING_RATE, batch_size=BATCH, quiet=True)
            found[task] = evaluate(run.model, run.tokenizer, test)
            self.say(f"  {task:9s} by itself, {len(rows)} rows: {found[task]}")
        return found

    def headroom(self) -> Bar:
        """How many tasks end between 70 and 90 % when the model is fine-tuned on their own rows, as in a comparison of methods."""
        inside = [t for t, r in self.alone.items() if 0.7 <= r.value <= 0.9]
        sure = [t for t, r in self.alone.items() if r.low >= 0.7 and r.high <= 0.9]
        maybe = [t for t, r in self.alone.items() if r.high >= 0.7 and r.low <= 0.9]
        details = {task: round(r.value, 4) for task, r in self.alone.items()}
        details |= {f"{task}_in_the_mixture": round(r.value, 4) for task, r in self.tasks.items()}
        return Bar("headroom: tasks between 70 and 90 %, each fine-tuned alone", len(inside), len(sure), len(maybe),
                   "≥ 2 tasks", len(inside) >= 2, details)  # fmt: skip

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
        run = train(
            Dataset.from_list(rows), model=self.folder, learning_rate=LEARNING_RATE, batch_size=BATCH, quiet=True
        )
        items = [draw_item(rng, "test", more=rng.choice((1, 2))) for _ in range(prompts)]
        asked = [
            prompt_text({"instruction": rng.choice(phrasings("brief", "test")), "input": item.text}) for item in items
        ]
        replies = generate(
            run.model, run.tokenizer, [p for p in asked for _ in range(samples)],
            max_new_tokens=64, temperature=1.0, seed=UNSEEN_SEED,
        )  # fmt: skip
        scores, distinct, best = [], [], []
        for i, item in enumerate(items):
            group = [r.strip() for r in replies[i * samples : (i + 1) * samples]]
            gold = [gold_score(pages.facts(item), item.text, r) for r in group]
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


def _of_task(data: Dataset, task: str, count: int | None = None) -> Dataset:
    """The rows of one task, the first `count` of them."""
    return data.select([i for i, found in enumerate(data["task"]) if found == task][:count])


def _shared_out(data: Dataset) -> Dataset:
    """The rows of a mixture, drawn in the shares of `SHARES`, none twice, until a task has run out of rows."""
    rng = random.Random(UNSEEN_SEED)
    places: dict[str, list[int]] = {}
    for place, task in enumerate(data["task"]):
        places.setdefault(task, []).append(place)
    order: list[int] = []
    while all(places.values()):
        task = rng.choices(list(places), [SHARES.get(task, 1) for task in places])[0]
        order.append(places[task].pop(0))
    return data.select(order)


def _share(name: str, right: list[bool], bar: str, least: float, details: dict | None = None) -> Bar:
    value = sum(right) / len(right)
    return Bar(name, value, *wilson(sum(right), len(right)), bar, value >= least, {"n": len(right)} | (details or {}))


def line(bar: Bar) -> str:
    """One gate as one line of text."""
    small = bar.high <= 1 and not any(word in bar.name for word in ("standard", "tasks"))
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
