"""What the reference runs of lesson 10 say: scores with intervals, paired differences, the table, and the scoreboard's rows.

Scores of a part are kept as seeds × items, so that every interval covers both (`mean_interval`), and every difference is paired by
seed and item (`difference_interval`). All accuracies and differences that leave this module are in per cent or points.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...measure.statistics import Interval, difference_interval, mean_interval
from ..reference import runs as all_runs
from .setting import (
    BATCH,
    EVERY,
    HALF,
    LAYOUTS,
    LESSON,
    METHODS,
    RATES,
    ROOM,
    SEEDS,
    STEPS,
    carrying,
    test_rows,
)


def runs(part: str, **wanted) -> list[dict]:
    """The reference runs of one part whose keys hold `wanted`, in the order of the seeds."""
    found = all_runs(LESSON, part=part, **wanted)
    return sorted(found, key=lambda r: r["key"]["seed"])


def methods_of(part: str, **wanted) -> list[str]:
    """The methods that have runs of a part, in the lesson's order."""
    there = {r["key"].get("method") for r in runs(part, **wanted)}
    return [m for m in METHODS if m in there]


# ------------------------------------------------------------------ scores


def scores(part: str, name: str = "bits", items: Sequence[int] | None = None, **wanted) -> list[list[int]]:
    """Right (1) or wrong (0): one row a seed, one column an item. `items` keeps some columns."""
    table = [[int(bit) for bit in r["metrics"][name]] for r in runs(part, **wanted)]
    return table if items is None else [[row[i] for i in items] for row in table]


def accuracy(part: str, name: str = "bits", items: Sequence[int] | None = None, **wanted) -> Interval:
    """Per cent right, for other seeds and other items; the interval kept between 0 and 100."""
    value, low, high = mean_interval(scores(part, name, items, **wanted)).scaled(100)
    return Interval(value, max(0.0, low), min(100.0, high))


def difference(
    first: dict, second: dict, part: str, name: str = "bits", items: Sequence[int] | None = None
) -> Interval:
    """Points between two settings of a part, such as two methods, on the seeds that both have."""
    shared = {r["key"]["seed"] for r in runs(part, **first)} & {r["key"]["seed"] for r in runs(part, **second)}

    def of(wanted: dict) -> list[list[int]]:
        kept = [r for r in runs(part, **wanted) if r["key"]["seed"] in shared]
        table = [[int(bit) for bit in r["metrics"][name]] for r in kept]
        return table if items is None else [[row[i] for i in items] for row in table]

    return difference_interval(of(first), of(second)).scaled(100)


def against_full(method: str, part: str = "compare", name: str = "bits", items: Sequence[int] | None = None, **wanted):
    """Points that a method is above full fine-tuning, paired by seed and item."""
    return difference({"method": method, **wanted}, {"method": "full fine-tuning", **wanted}, part, name, items)


def places(count: int, *sections: str) -> list[int]:
    """The places of the test items of some sections among the first `count`."""
    return [i for i, row in enumerate(test_rows(count=count)) if row["domain"] in sections]


def mean(part: str, name: str, **wanted) -> float:
    """The mean of one figure over the seeds."""
    found = [r["metrics"][name] for r in runs(part, **wanted)]
    return sum(found) / len(found)


def cost(method: str) -> dict:
    """Peak memory in bytes, time relative to full fine-tuning, and trained parameters of one step of a method."""
    return runs("cost")[0]["metrics"]["methods"][method]


def steps_to(method: str, wanted: float = 0.8) -> int | None:
    """After how many steps a run first had this share of its validation items right; `None` for never."""
    metrics = runs("curve", method=method)[0]["metrics"]
    return next((s for s in range(EVERY, STEPS + 1, EVERY) if metrics[f"right_{s}"] >= wanted), None)


def front(points: dict[str, tuple[float, float]]) -> list[str]:
    """The names that nothing as cheap or cheaper beats, cheapest first; `points`: name → (cost, value)."""
    names, best = [], float("-inf")
    for name, (_, value) in sorted(points.items(), key=lambda each: (each[1][0], -each[1][1])):
        if value > best:
            names.append(name)
            best = value
    return names


def shown(found: Interval, digits: int = 1) -> str:
    """`93.1 (91.0–95.2)`."""
    return f"{found:.{digits}f}".replace(" to ", "–")


def signed(found: Interval) -> str:
    """A difference in points: `-1.2 (-3.0 to +0.6)`."""
    return f"{found:+.1f}"


# ------------------------------------------------------------------ the one table


def table() -> str:
    """All methods on tone in aligned columns: accuracy, difference from full, in the wild, forgetting, and costs."""
    heads = (
        "method",
        "trained",
        "file, kB",
        "memory, MB",
        "time",
        "right, %",
        "minus full",
        "in the wild, %",
        "forgetting",
    )
    rows = []
    for method in methods_of("compare"):
        spent = cost(method)
        rows.append((
            method, f"{spent['trainable']:,}", f"{mean('compare', 'bytes', method=method) / 1e3:,.0f}",
            f"{spent['peak'] / 1e6:.0f}", f"{spent['relative_time']:.2f}", shown(accuracy("compare", method=method)),
            "" if method == "full fine-tuning" else signed(against_full(method)),
            shown(accuracy("compare", "wild_bits", method=method)), f"{mean('compare', 'forgetting', method=method):+.3f}",
        ))  # fmt: skip
    rows.append(("frozen base:",) + ("",) * 8)
    for layout in (each for each in LAYOUTS if runs("prompt", layout=each)):
        right, wild = (shown(accuracy("prompt", name, layout=layout)) for name in ("bits", "wild_bits"))
        rows.append((f"  {layout}", "0", "0", "", "", right, "", wild, "0"))
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = ("  ".join(c.ljust(w) if i in (0, 5, 6, 7) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
             for row in [heads, *rows])  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)


# ------------------------------------------------------------------ parts that need a word


OTHERS = ("health", "courts", "town")  # what training on business leaves out


def far(method: str) -> dict[str, Interval]:
    """Trained on business: per cent right on business, on the other sections, and in the wild."""
    inside, outside = places(HALF, "business"), places(HALF, *OTHERS)
    return {
        "business": accuracy("far", items=inside, method=method),
        "other sections": accuracy("far", items=outside, method=method),
        "in the wild": accuracy("far", "wild_bits", method=method),
    }


def chosen(part: str, method: str) -> dict:
    """What to ask the runs of a part for: a method at the rate that was best on validation items, over the seeds."""
    tried: dict[float, list[float]] = {}
    for run in runs(part, method=method):
        tried.setdefault(run["key"]["rate"], []).append(run["metrics"]["validation"])
    return {"method": method, "rate": max(tried, key=lambda rate: sum(tried[rate]) / len(tried[rate]))}


def room() -> dict[str, dict[int, list[int]]]:
    """The task with room (`question`, 1,000 items), from lesson 09's runs and this lesson's own: method → seed → right or wrong by item."""
    found: dict[str, dict[int, list[int]]] = {}
    for run in all_runs("09_adapters"):
        key = run["key"]
        if key["part"] == "compare" and key["task"] == ROOM and key.get("placement", "houlsby") == "houlsby":
            found.setdefault(key["method"], {})[key["seed"]] = [int(bit) for bit in run["metrics"]["bits"]]
    for run in runs("room"):
        found.setdefault(run["key"]["method"], {})[run["key"]["seed"]] = [int(bit) for bit in run["metrics"]["bits"]]
    return {method: found[method] for method in METHODS if method in found}


def room_accuracy(method: str) -> Interval:
    """Per cent right on the task with room."""
    return mean_interval(list(room()[method].values())).scaled(100)


def room_against_full(method: str) -> Interval:
    """Points from full fine-tuning on the task with room, paired by item and by the seeds that both have."""
    one, full = room()[method], room()["full fine-tuning"]
    seeds = sorted(one.keys() & full.keys())
    return difference_interval([one[s] for s in seeds], [full[s] for s in seeds]).scaled(100)


def expectations() -> str:
    """What the lesson expected before its runs, beside what came: one line each."""
    full, lora, prompt = "full fine-tuning", "LoRA", "prompt tuning"
    peak = {m: cost(m)["peak"] for m in (full, lora, prompt)}
    size = {m: mean("compare", "bytes", method=m) for m in methods_of("compare")}
    largest = max(v for m, v in size.items() if m != full) / size[full]
    few = {m: difference({"method": m, "size": 16}, {"method": full, "size": 16}, "few").value for m in (lora, prompt)}
    drop = {m: far(m)["business"].value - far(m)["other sections"].value for m in (full, lora)}
    wool = {m: accuracy("new", "wool_bits", **chosen("new", m)).value for m in (full, lora, prompt)}
    lost = {m: mean("compare", "forgetting", method=m) for m in (full, lora)}
    gap = against_full(lora)
    lines = [
        (f"1. LoRA's memory {100 * peak[lora] / peak[full]:.0f} % of full's, prompt tuning's {100 * peak[prompt] / peak[lora]:.0f} % of LoRA's",
         peak[lora] < 0.75 * peak[full] and peak[prompt] > 0.9 * peak[lora]),
        (f"2. the largest file of PEFT is {100 * largest:.1f} % of full's", largest < 0.05),
        (f"3. 16 examples: LoRA {few[lora]:+.1f}, prompt tuning {few[prompt]:+.1f} points from full", min(few.values()) > 0),
        (f"4. lost outside business: LoRA {drop[lora]:.1f}, full {drop[full]:.1f} points",
         0 < drop[full] - drop[lora] <= 2),
        (f"5. wool: full {wool[full]:.0f}, LoRA {wool[lora]:.0f}, prompt tuning {wool[prompt]:.0f} %",
         wool[full] > wool[lora] > wool[prompt]),
        (f"6. forgetting: full {lost[full]:+.3f}, LoRA {lost[lora]:+.3f} nats", lost[full] > lost[lora]),
        (f"7. tone: LoRA minus full {signed(gap)} points", abs(gap.value) <= 2),
    ]  # fmt: skip
    return "\n".join(f"{text:78s} {'as expected' if held else 'NOT as expected'}" for text, held in lines)


# ------------------------------------------------------------------ the scoreboard


def board() -> dict:
    """Write the scoreboard's reference rows of all methods that were compared; returns how many."""
    from ...base.run import Run
    from ...measure.evaluation import Result
    from ...measure.scoreboard import record

    def result(part: str, name: str, **wanted) -> Result:
        found = mean_interval(scores(part, name, **wanted))
        items = len(scores(part, name, **wanted)[0])
        return Result(found.value, max(0.0, found.low), min(1.0, found.high), items, [], [])

    for method in methods_of("compare"):
        metrics = [r["metrics"] for r in runs("compare", method=method)]
        model, tokenizer = carrying(method)
        if method == "QLoRA":  # TRL trains and keeps this adapter in bfloat16, which halves its file
            for parameter in (p for p in model.parameters() if p.requires_grad):
                parameter.data = parameter.data.bfloat16()
        spent = {name: sum(m[name] for m in metrics) / len(metrics) for name in ("train_seconds", "tokens")}
        run = Run(
            model, tokenizer, None, spent["train_seconds"], STEPS * BATCH, int(spent["tokens"]), [],
            metrics[0]["trainable"], metrics[0]["total"], RATES["tone", method], SEEDS[0],
        )  # fmt: skip
        record(
            method,
            run,
            result("compare", "bits", method=method),
            lesson=LESSON,
            source="reference",
            seeds=[r["key"]["seed"] for r in runs("compare", method=method)],
            forgetting={"mean": mean("compare", "forgetting", method=method)},
            peak_memory_bytes=cost(method)["peak"],
            in_the_wild=result("compare", "wild_bits", method=method),
        )
    layouts = [layout for layout in LAYOUTS if runs("prompt", layout=layout)]
    for layout in layouts:
        outcome = result("prompt", "bits", layout=layout)
        wild = result("prompt", "wild_bits", layout=layout)
        record(f"frozen base: {layout}", None, outcome, lesson=LESSON, source="reference", in_the_wild=wild)
    return {"rows": len(methods_of("compare")) + len(layouts)}
