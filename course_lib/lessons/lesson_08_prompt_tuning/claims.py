"""What lesson 08 says about its reference runs and its printed output."""

from __future__ import annotations

import re

from ...measure.statistics import Interval, difference_interval, mean_interval
from ..claims import percent, points, printed, signed
from ..reference import real, runs
from .setting import ITEMS, LESSON, OTHER_RATES, RATE, RATES, STARTS, TOKENS


def _of(part: str, **wanted) -> list[dict]:
    return [r["metrics"] for r in runs(LESSON, part=part, **wanted)]


def _bits(metrics: dict, name: str = "bits") -> list[list[int]]:
    """One row a seed, one column an item."""
    names = sorted(key for key in metrics if key.startswith(f"{name}_") and key[len(name) + 1 :].isdigit())
    return [[int(bit) for bit in metrics[key]] for key in names]


def _method(name: str) -> list[list[int]]:
    return _bits(_of("method", method=name)[0])


def _share(bits: str) -> float:
    return 100 * bits.count("1") / len(bits)


def _points(found: Interval) -> str:
    return points(found).replace("-", "−")


def _grid(start: str, rate: float, seed: int = 0) -> dict:
    return _of("grid", start=start, rate=rate, seed=seed)[0]


# ------------------------------------------------------------------ the headline and its controls


def headline() -> str:
    """Accuracy over the seeds, and each seed on its own."""
    bits = _method("prompt tuning")
    seeds = sorted(100 * sum(row) / len(row) for row in bits)
    return (
        f"Over {len(bits)} seeds the soft prompt is right in {percent(mean_interval(bits))} of 1,000 unseen items. The seeds lie "
        f"far apart: {', '.join(f'{s:.1f}' for s in seeds[:-1])} and {seeds[-1]:.1f} %."
    )


def rate_ratio() -> str:
    """The chosen rate over the course's for full fine-tuning."""
    assert RATE / RATES[0] == 200
    return "only at a learning rate two hundred times that of full fine-tuning"


def frozen_vectors() -> str:
    """The negative control: vectors that are never trained."""
    found = {start: _of("frozen", start=start)[0] for start in STARTS}
    right = max(_share("".join(v for k, v in m.items() if k.startswith("bits"))) for m in found.values())
    offered = max(_share("".join(v for k, v in m.items() if k.startswith("offered"))) for m in found.values())
    assert right < 2 and offered < 50, f"the control does not fail: {right}, {offered}"
    return (
        f"Frozen vectors give {right:.1f} %, whether they are drawn at random, from the vocabulary or spell the sentence; with the three labels "
        f"offered the right one comes first in {offered:.0f} %, near chance. It is the training that does it."
    )


def against_full() -> str:
    """Paired with full fine-tuning on the same rows, seeds and items."""
    soft, full = _method("prompt tuning"), _method("full fine-tuning")
    found = difference_interval(soft, full)
    assert found.value < 0 < found.high
    by_seed = sorted(100 * (sum(a) - sum(b)) / len(a) for a, b in zip(soft, full, strict=True))
    assert by_seed[-1] > -1 and by_seed[-2] < -5
    told = ", ".join(signed(d, 1) for d in by_seed)
    return (
        f"Full fine-tuning on the same rows is right in {percent(mean_interval(full))}, with seeds that agree. The difference is {_points(found)}, "
        f"seed by seed {told}: one soft prompt is as good as full fine-tuning, and two are far behind."
    )


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


def small_rate() -> str:
    """The second column of the map: not yet arrived."""
    told = {start: _share(_grid(start, 0.01)["bits"]) for start in STARTS}
    best = {start: max(_share(_grid(start, rate)["bits"]) for rate in RATES) for start in STARTS}
    assert all(told[start] < best[start] - 10 for start in STARTS)
    return f"At 0.01 none has arrived ({told['random']:.0f}, {told['vocabulary']:.0f} and {told['text']:.0f} %)."


def seeds_and_cells() -> str:
    """How far the seeds of one cell lie apart: the noise of the map."""
    seeds = [100 * sum(row) / len(row) for row in _method("prompt tuning")]
    assert max(seeds) - min(seeds) > 10
    return f"the seeds of one cell lie up to {max(seeds) - min(seeds):.0f} points apart"


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


LENGTH_TITLE = "One vector is far too few, twenty are as good as fifty"


def length_reading() -> str:
    """The title of the figure."""
    found = _lengths()
    assert found[1] < 50 < found[5] < found[TOKENS] - 10 and abs(found[TOKENS] - found[50]) < 5
    return "One vector is far too few, five are on the way, and fifty give nothing that twenty do not."


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
    """The newspaper's own form against what was trained, the same items."""
    form = [int(bit) for bit in _way("the newspaper's own form")["bits"]]
    soft, full = (_method(name) for name in ("prompt tuning", "full fine-tuning"))
    against = [difference_interval([form] * len(trained), trained) for trained in (soft, full)]
    assert against[1].low > 0
    return (
        f"But the newspaper's own form, eleven tokens behind the item instead of chat and instruction and no training at all, is right in "
        f"{100 * sum(form) / len(form):.1f} %: {_points(against[0])} against the trained vectors, and {_points(against[1])} against full fine-tuning."
    )


# ------------------------------------------------------------------ relatives


def relatives_result() -> str:
    """Prefix tuning and P-tuning over their seeds."""
    prefix, p_tuning = (mean_interval(_method(name)) for name in ("prefix tuning", "P-tuning"))
    seeds = [f"{100 * sum(row) / len(row):.0f}" for row in _method("P-tuning")]
    return (
        f"On 300 items and three seeds prefix tuning is right in {percent(prefix)}, P-tuning in {100 * p_tuning.value:.1f} %, with seeds at "
        f"{', '.join(seeds[:-1])} and {seeds[-1]} %."
    )


def relatives_differences() -> str:
    """Each paired with prompt tuning."""
    soft = [row[:ITEMS] for row in _method("prompt tuning")]
    told = [difference_interval(_method(name), soft) for name in ("prefix tuning", "P-tuning")]
    assert all(f.low < 0 < f.high for f in told)
    return f"Against prompt tuning that is {_points(told[0])} and {_points(told[1])}: three seeds that scatter so much cannot rank them."


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
        f"The course's kept prompt, begun from the vocabulary, loses less: on three hundred items in batches of 32 it is right in {100 * sum(pads) / len(pads):.1f} % "
        f"with pads and {100 * sum(equal) / len(equal):.1f} % without, {_points(lost)}."
    )


def padding_live() -> str:
    """The prompt that the lesson trains, as printed."""
    changed, of = map(int, re.search(r"first token changed in (\d+) of (\d+)", printed(LESSON)).groups())
    assert changed > of / 3
    return f"With the prompt trained above, begun as a sentence, the pads change the answer in {changed} of {of} items."


def distance_live() -> str:
    """The prompt that the lesson trains, as printed."""
    found = re.findall(
        r"(\d+) tokens of other news before the item: prompt tuning +(\d+), LoRA +(\d+) of 40", printed(LESSON)
    )
    (_, near, lora), (_, _, _), (tokens, far, lora_far) = found
    assert int(far) < int(near) / 2 and int(lora_far) > int(lora) - 4
    return (
        f"Your soft prompt, begun as a sentence, falls from {near} to {far} of 40 behind {tokens} tokens of other news."
    )


def distance() -> str:
    """The kept prompt and LoRA with other news before the item."""
    found = _of("distance", mixed=False)[0]
    near, far, lora = (_share(found[name]) for name in ("prompt_0", "prompt_80", "lora_80"))
    assert far < near / 2 and lora > _share(found["lora_0"]) - 10
    return (
        f"The course's kept prompt, begun from the vocabulary, holds longer: on a hundred items, 80 tokens take it from {near:.0f} to {far:.0f} % right; LoRA, from "
        f"{_share(found['lora_0']):.0f} to {lora:.0f} %."
    )


def distance_trained() -> str:
    """A prompt that has seen such distances in training."""
    found = _of("distance", mixed=True)[0]
    near, far, beyond = (_share(found[f"prompt_{tokens}"]) for tokens in (0, 80, 160))
    return (
        f"Trained on the same rows with no, 60 or 120 tokens of other news before them, it is right in {near:.0f} % near, {far:.0f} % behind 80 tokens and "
        f"{beyond:.0f} % behind 160, more than it ever saw."
    )


def on_the_real_model() -> str:
    """Hand-written items on the real model: prompt tuning, its best prompt untrained, and full fine-tuning."""
    found = []
    for technique, line in (
        ("prompt tuning", "hand-written, right"),
        ("prompt tuning", "untrained, prompt chosen"),
        ("full fine-tuning", "hand-written, right"),
    ):
        told = next(row for row in real(technique).splitlines() if row.startswith(line))
        found.append(re.findall(r"(\d+\.\d) % \((\d+\.\d)–(\d+\.\d)\)", told)[-1])
    soft, words, full = found
    assert float(words[2]) < float(soft[1]) and float(soft[2]) < float(full[1])
    return (
        f"On the real model the soft prompt is right in {soft[0]} % of the hand-written items ({soft[1]}–{soft[2]}): above the best prompt in words, {words[0]} %, and "
        f"below full fine-tuning, {full[0]} %."
    )


def rates_of_relatives() -> str:
    """Which rates the held-back loss of one seed can tell apart."""
    losses = {
        name: {rate: _of("rate", method=name, rate=rate)[0]["answer_loss"] for rate in rates}
        for name, rates in OTHER_RATES.items()
    }
    prefix, p_tuning = losses["prefix tuning"], losses["P-tuning"]
    assert min(p_tuning, key=p_tuning.get) == 0.003 and prefix[0.01] > 2 * max(prefix[0.03], prefix[0.1])
    return (
        f"the loss on held-back rows is lowest at 0.003 for P-tuning, and hardly tells 0.03 from 0.1 for prefix tuning ({prefix[0.03]:.3f} and "
        f"{prefix[0.1]:.3f} nats)"
    )


def outcome() -> str:
    """How many expectations held, as printed."""
    lines = re.findall(r"^(\d)\. .* (True|False)$", printed(LESSON), re.M)
    failed = [number for number, held in lines if held == "False"]
    assert len(lines) == 7 and failed == ["1", "7"]
    soft, full = _memory()["prompt tuning"][3], _memory()["full fine-tuning"][3]
    return (
        "Five of the seven held. The first is open: the gap is there on average, and with seeds so far apart three of them cannot show that it is "
        f"more than three points. The last failed by a hair, at {100 * soft / full:.1f} %: the moments and gradients of a small model are worth thirty per cent of a step, and that is "
        "all that freezing it saves."
    )


CLAIMS = [
    headline,
    rate_ratio,
    frozen_vectors,
    against_full,
    no_start_at_full_rate,
    starts_at_best,
    small_rate,
    seeds_and_cells,
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
    padding_live,
    padding_costs,
    distance_live,
    distance,
    distance_trained,
    length_reading,
    on_the_real_model,
    rates_of_relatives,
    outcome,
]
