"""What lesson 08 says about its reference runs and its printed output."""

from __future__ import annotations

import re

from ...measure.statistics import Interval, difference_interval, mean_interval
from ..claims import printed
from ..reference import runs
from .experiments import LESSON, RATE, RATES, STARTS, TOKENS


def _of(part: str, **wanted) -> list[dict]:
    return [r["metrics"] for r in runs(LESSON) if r["key"]["part"] == part and wanted.items() <= r["key"].items()]


def _bits(metrics: dict, name: str = "bits") -> list[list[int]]:
    """One row a seed, one column an item."""
    names = sorted(key for key in metrics if key.startswith(f"{name}_") and key[len(name) + 1 :].isdigit())
    return [[int(bit) for bit in metrics[key]] for key in names]


def _method(name: str) -> list[list[int]]:
    return _bits(_of("method", method=name)[0])


def _share(bits: str) -> float:
    return 100 * bits.count("1") / len(bits)


def _percent(found: Interval) -> str:
    low, high = max(0.0, 100 * found.low), min(100.0, 100 * found.high)
    return f"{100 * found.value:.1f} % ({low:.1f}–{high:.1f})"


def _points(found: Interval) -> str:
    return " ".join(
        (f"{100 * found.value:+.1f} points", f"({100 * found.low:+.1f} to {100 * found.high:+.1f})")
    ).replace("-", "−")


def _grid(start: str, rate: float, seed: int = 0) -> dict:
    return _of("grid", start=start, rate=rate, seed=seed)[0]


# ------------------------------------------------------------------ the headline and its controls


def headline() -> str:
    """Accuracy over the seeds, and each seed on its own."""
    bits = _method("prompt tuning")
    seeds = sorted(100 * sum(row) / len(row) for row in bits)
    return (
        f"Over {len(bits)} seeds the soft prompt is right in {_percent(mean_interval(bits))} of 1,000 unseen items. The seeds lie "
        f"far apart: {', '.join(f'{s:.1f}' for s in seeds[:-1])} and {seeds[-1]:.1f} %."
    )


def frozen_vectors() -> str:
    """The negative control: vectors that are never trained."""
    found = {start: _of("frozen", start=start)[0] for start in STARTS}
    right = max(_share("".join(v for k, v in m.items() if k.startswith("bits"))) for m in found.values())
    offered = [_share("".join(v for k, v in m.items() if k.startswith("offered"))) for m in found.values()]
    assert right < 2 and max(offered) < 50, f"the control does not fail: {right}, {offered}"
    return (
        f"Frozen vectors give {right:.1f} %, whether they are drawn at random, from the vocabulary or spell the sentence; with the three labels "
        f"offered the right one comes first in {min(offered):.0f} to {max(offered):.0f} %, near chance. It is the training."
    )


def against_full() -> str:
    """Paired with full fine-tuning on the same rows, seeds and items."""
    full = _method("full fine-tuning")
    found = difference_interval(_method("prompt tuning"), full)
    assert found.value < 0
    told = "" if found.high < 0 else ", so these seeds do not tell the two apart for certain"
    return f"Full fine-tuning on the same rows is right in {_percent(mean_interval(full))}; the difference is {_points(found)}{told}."


# ------------------------------------------------------------------ start and rate


def no_start_at_full_rate() -> str:
    """The first column of the map."""
    best = max(_share(_grid(start, RATES[0])["bits"]) for start in STARTS)
    assert best < 2
    return f"At 0.0005, the rate of full fine-tuning, all three starts are right in {best:.0f} %."


def starts_at_best() -> str:
    """Each start at the rate with its lowest held-back loss."""
    told = []
    for start in STARTS:
        rate = min(RATES, key=lambda r: _grid(start, r)["answer_loss"])
        told.append(f"{start} {_share(_grid(start, rate)['bits']):.0f} % at {rate:g}")
    return f"At the rate with the lowest held-back loss: {', '.join(told)}."


def random_needs_more() -> str:
    """What a small rate does to a random start and to one made of words."""
    small = {start: _share(_grid(start, 0.01)["bits"]) for start in STARTS}
    assert small["random"] < min(small["vocabulary"], small["text"]) - 10
    return (
        f"The start matters most where the rate is small: at 0.01 the map reads {small['random']:.0f} % from random vectors, "
        f"{small['vocabulary']:.0f} % from the vocabulary and {small['text']:.0f} % from the sentence."
    )


def word_length() -> str:
    """Mean length of a vector in the embedding table."""
    return f"about {_grid('random', RATE)['norm_of_words']:.1f}"


def random_length() -> str:
    """How long a random vector is, trained at the smallest rate, where it has not moved."""
    words = _grid("random", RATE)["norm_of_words"]
    random = _grid("random", RATES[0])["norm"]
    assert random > 3 * words
    return f"its vectors are {random:.0f} long, {random / words:.1f} times a word's."


# ------------------------------------------------------------------ length


def _lengths() -> dict[int, float]:
    found = {r["key"]["tokens"]: _share(r["metrics"]["bits"]) for r in runs(LESSON) if r["key"]["part"] == "length"}
    return dict(sorted((found | {TOKENS: _share(_grid("text", RATE)["bits"])}).items()))


def lengths() -> str:
    """All lengths, one seed."""
    told = [f"{share:.0f} % with {n}" for n, share in _lengths().items()]
    return f"{', '.join(told[:-1])} and {told[-1]} vectors (one seed, 300 items)."


# ------------------------------------------------------------------ words


def _way(name: str) -> dict:
    return _of("words", way=name)[0]


def words_in_front() -> str:
    """Words in the place of the vectors."""
    front = [_way("a sentence in front"), _way("three examples in front")]
    best, offered = max(_share(m["bits"]) for m in front), max(100 * m["offered"] for m in front)
    assert best < 5 and offered < 50
    return (
        f"Words in the place of the vectors do nothing: {best:.1f} % right at best, and with the labels offered {offered:.0f} %, near chance. "
        "The base was never taught to answer in a chat."
    )


def own_form() -> str:
    """The newspaper's own form against the soft prompt, the same items."""
    form = [int(bit) for bit in _way("the newspaper's own form")["bits"]]
    soft = _method("prompt tuning")
    found = difference_interval([form] * len(soft), soft)
    assert found.value > 0
    return (
        f"But the newspaper's own form, ten tokens behind the item and no training at all, is right in {100 * sum(form) / len(form):.1f} %: "
        f"{_points(found)} against the trained vectors."
    )


# ------------------------------------------------------------------ relatives


def relatives_result() -> str:
    """Prefix tuning and P-tuning over their seeds."""
    prefix, p_tuning = (mean_interval(_method(name)) for name in ("prefix tuning", "P-tuning"))
    return f"Prefix tuning is right in {_percent(prefix)}, P-tuning in {_percent(p_tuning)}."


def relatives_differences() -> str:
    """Each paired with prompt tuning."""
    soft = _method("prompt tuning")
    told = [difference_interval(_method(name), soft) for name in ("prefix tuning", "P-tuning")]
    apart = [f.low > 0 or f.high < 0 for f in told]
    last = "" if any(apart) else " The seeds scatter too much to rank the three."
    return f"Against prompt tuning that is {_points(told[0])} and {_points(told[1])}.{last}"


# ------------------------------------------------------------------ memory


def _memory() -> dict[str, list[float]]:
    """What the lesson printed: trained numbers, file in kB, state and peak in MB."""
    found = {}
    for name in ("full fine-tuning", "LoRA r 8", "prompt tuning"):
        line = re.search(rf"^{name}\s+([\d,]+)\s+(\d+)\s+(\d+)\s+(\d+)$", printed(LESSON), re.M)
        found[name] = [float(cell.replace(",", "")) for cell in line.groups()]
    return found


def file_saved() -> str:
    """Bytes to keep."""
    full, soft = _memory()["full fine-tuning"], _memory()["prompt tuning"]
    return f"The file is {full[1] / soft[1]:,.0f} times smaller than that of full fine-tuning ({soft[1]:.0f} kB against {full[1] / 1e3:.1f} MB)."


def memory_not_saved() -> str:
    """The peak of a step."""
    found = _memory()
    full, lora, soft = (found[n][3] for n in ("full fine-tuning", "LoRA r 8", "prompt tuning"))
    beyond = [found[n][3] - found[n][2] for n in found]
    assert soft / full > 0.6 and max(beyond) < 1.15 * min(beyond)
    return (
        f"The peak is {100 * soft / full:.0f} % of that of full fine-tuning: {soft:.0f} MB against {full:.0f}, with {lora:.0f} for LoRA, although a thousandth of the "
        "numbers is trained."
    )


# ------------------------------------------------------------------ what the vectors say


def words_instead() -> str:
    """The nearest words of vectors that began as a sentence."""
    found = _grid("text", RATE)
    learned, words = _share(found["bits"]), _share(found["bits_words"])
    long = _share(found["bits_long"])
    assert max(words, long) < learned / 2
    return f"With the nearest words in their place {learned:.0f} % become {words:.0f} %, and {long:.0f} % when the words are made as long as the vectors were."


def random_says() -> str:
    """Two random starts: the same task, other words."""
    first, second = _grid("random", RATE, 0), _grid("random", RATE, 1)
    shared = set(first["words"]) & set(second["words"])
    assert len(shared) <= 4
    return (
        f"From two random starts the vectors are right in {_share(first['bits']):.0f} and {_share(second['bits']):.0f} %, and of their twenty nearest words "
        f"{len(shared) or 'none'} {'is' if len(shared) < 2 else 'are'} the same."
    )


# ------------------------------------------------------------------ when it breaks


def padding_costs() -> str:
    """The kept prompt with pads between vectors and text."""
    found = _of("padding")[0]
    pads, equal = ([int(bit) for bit in found[name]] for name in ("bits_pads", "bits_equal"))
    lost = difference_interval(pads, equal)
    assert lost.high < 0
    return (
        f"Three hundred items in batches of 32 with pads in between: {100 * sum(pads) / len(pads):.1f} % right instead of {100 * sum(equal) / len(equal):.1f} %, "
        f"{_points(lost)}, without a word."
    )


def distance() -> str:
    """Forty items with other news before them, as printed."""
    told = re.findall(
        r"(\d+) tokens of other news before the item: prompt tuning\s+(\d+), LoRA\s+(\d+)", printed(LESSON)
    )
    near, far = told[0], told[-1]
    assert int(far[1]) < int(near[1]) / 2
    return f"With {far[0]} tokens of other news before the item the soft prompt is right in {far[1]} of 40 instead of {near[1]}, LoRA in {far[2]} instead of {near[2]}."


CLAIMS = [
    headline,
    frozen_vectors,
    against_full,
    no_start_at_full_rate,
    starts_at_best,
    random_needs_more,
    word_length,
    random_length,
    lengths,
    words_in_front,
    own_form,
    relatives_result,
    relatives_differences,
    file_saved,
    memory_not_saved,
    words_instead,
    random_says,
    padding_costs,
    distance,
]
