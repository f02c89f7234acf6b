"""What lesson 06 says about its reference runs."""

from __future__ import annotations

from ...measure.statistics import difference_interval
from ..claims import signed
from ..reference import runs
from .experiments import LESSON, RATES


def _of(part: str, **wanted) -> list[dict]:
    return runs(LESSON, part=part, **wanted)


def _bits(method: str) -> list[list[int]]:
    return [[int(bit) for bit in r["metrics"]["bits"]] for r in _of("compare", method=method)]


def _signed(share: float) -> str:
    """A difference of shares, in points."""
    return signed(100 * share, 1)


def lora_equals_full() -> str:
    """The headline: three seeds, six hundred items, paired."""
    lora, full = _bits("LoRA"), _bits("full fine-tuning")
    found = difference_interval(lora, full)
    assert found.low < 0 < found.high, f"the two are told apart: {found}"
    shares = [100 * sum(map(sum, bits)) / sum(map(len, bits)) for bits in (lora, full)]
    return (
        f"Over three seeds LoRA of rank 8 is right in {shares[0]:.1f} % and full fine-tuning in {shares[1]:.1f} %; the "
        f"difference is {_signed(found.value)} points ({_signed(found.low)} to {_signed(found.high)})."
    )


def seeds_scatter_more() -> str:
    """The spread of seeds against the difference of methods."""
    shares = {m: [sum(b) / len(b) for b in _bits(m)] for m in RATES}
    means = [sum(s) / len(s) for s in shares.values()]
    assert min(max(s) - min(s) for s in shares.values()) > abs(means[0] - means[1])
    return "The seeds of one method lie further apart than the two methods."


def share_of_parameters() -> str:
    """Trained parameters, and the file: bytes of four for each of them."""
    lora, full = (_of("compare", method=m)[0]["metrics"]["trainable"] for m in ("LoRA", "full fine-tuning"))
    assert 1 / 25 < lora / full < 1 / 20
    return f"with {100 * lora / full:.1f} % of its trained parameters and a twentieth of its file"


def rates_apart() -> str:
    """The rate with the lowest validation loss, and the one with the best accuracy, of LoRA over full fine-tuning."""
    best = {}
    for method, usual in RATES.items():
        tried = {r["key"]["rate"]: r["metrics"] for r in _of("rate", method=method)}
        tried[usual] = _of("compare", method=method, seed=0)[0]["metrics"]
        best[method] = (min(tried, key=lambda r: tried[r]["answer_loss"]), max(tried, key=lambda r: tried[r]["right"]))
    by_loss, by_right = (best["LoRA"][i] / best["full fine-tuning"][i] for i in (0, 1))
    return (
        f"By the loss on validation rows LoRA wants a rate {by_loss:.0f} times that of full fine-tuning; by the accuracy on the "
        f"test rows it would be {by_right:.0f} times."
    )


def too_high_a_rate() -> str:
    """LoRA at ten times its usual rate."""
    (found,) = [r for r in _of("rate", method="LoRA") if abs(r["key"]["rate"] - 10 * RATES["LoRA"]) < 1e-9]
    return f"At ten times its usual rate LoRA falls to {100 * found['metrics']['right']:.0f} %."


def rank_does_not_matter() -> str:
    """Lowest and highest accuracy over the ranks."""
    found = [r["metrics"]["right"] for r in [*_of("rank"), *_of("compare", method="LoRA", seed=0)]]
    assert max(found) - min(found) < 0.05
    return f"from rank 1 to 64 accuracy lies between {100 * min(found):.1f} and {100 * max(found):.1f} %"


def layers_are_alike() -> str:
    """Lowest and highest accuracy over the choices of layers."""
    found = [r["metrics"]["right"] for r in [*_of("layers"), *_of("compare", method="LoRA", seed=0)]]
    assert len(found) == 5 and max(found) - min(found) < 0.02
    return f"All five lie between {100 * min(found):.1f} and {100 * max(found):.1f} %"


def alpha_is_no_rate() -> str:
    """Alpha raised eightfold against a rate raised tenfold."""
    alpha = next(r["metrics"]["right"] for r in _of("alpha") if r["key"]["alpha"] == 128)
    rate = next(r["metrics"]["right"] for r in _of("rate", method="LoRA") if abs(r["key"]["rate"] - 0.015) < 1e-9)
    assert alpha > rate + 0.3
    return f"the raised alpha still gives {100 * alpha:.0f} % where the raised rate has fallen to {100 * rate:.0f} %"


def rslora_is_alpha() -> str:
    """rsLoRA and its twin; the smaller factor."""
    twin = _of("rank", r=64)[0]["metrics"]
    found = {r["key"]["variant"]: r["metrics"] for r in _of("variant")}
    rs, small = found["r 64, alpha 16, rsLoRA"], found["r 64, alpha 16"]
    assert (rs["right"], rs["answer_loss"]) == (twin["right"], twin["answer_loss"]) and small["right"] > rs["right"]
    return f"({100 * small['right']:.1f} % against {100 * rs['right']:.1f} %, one seed)"


def dora_is_lora() -> str:
    """DoRA beside LoRA at rank 8."""
    dora = next(r["metrics"]["right"] for r in _of("variant") if r["key"]["variant"].endswith("DoRA"))
    assert dora == _of("compare", method="LoRA", seed=0)[0]["metrics"]["right"]
    return f"DoRA gives what LoRA gives, {100 * dora:.1f} %"


def top_eight() -> str:
    """Share of the squared norm in the eight largest singular values, mean over seeds."""
    found = [r["metrics"]["top_8"] for r in _of("compare", method="full fine-tuning")]
    return f"hold {100 * sum(found) / len(found):.0f} % of full fine-tuning's squared norm"


def cut_to_rank_one() -> str:
    """What is left of the update at rank 1."""
    found = _of("compare", method="full fine-tuning", seed=0)[0]["metrics"]
    return f"Cut to rank 1, the update still answers {100 * found['cut_1']:.0f} %, and {100 * found['cut_256']:.0f} % whole"


def lora_forgets_more() -> str:
    """Forgetting of both methods, seed by seed."""
    lora, full = ([r["metrics"]["forgetting"] for r in _of("compare", method=m)] for m in ("LoRA", "full fine-tuning"))
    assert all(a > b for a, b in zip(lora, full, strict=True))
    return (
        f"in every one of the three seeds (+{sum(lora) / 3:.3f} against +{sum(full) / 3:.3f} nats per token on average)"
    )


CLAIMS = [
    lora_equals_full,
    seeds_scatter_more,
    share_of_parameters,
    rates_apart,
    too_high_a_rate,
    rank_does_not_matter,
    layers_are_alike,
    alpha_is_no_rate,
    rslora_is_alpha,
    dora_is_lora,
    top_eight,
    cut_to_rank_one,
    lora_forgets_more,
]
