"""What lesson 10's prose says, computed again from its reference runs."""

from __future__ import annotations

from . import findings as f
from .setting import RATES, SHARED_RATE

FULL, LORA, PROMPT, ADAPTERS = "full fine-tuning", "LoRA", "prompt tuning", "adapters"


def rates_apart() -> str:
    """The tuned rates of tone."""
    rates = {m: r for (task, m), r in RATES.items() if task == "tone"}
    assert max(rates.values()) / min(rates.values()) >= 1000
    return f"from {rates[FULL]:g} (full fine-tuning) to {rates[PROMPT]:g} (prompt tuning)"


def one_rate() -> str:
    """All at one rate, validation items right."""
    found = {
        m: 100 * f.runs("rate", task="tone", rate=SHARED_RATE, method=m)[0]["metrics"]["right"]
        for m in f.methods_of("rate", task="tone", rate=SHARED_RATE)
    }
    assert found[PROMPT] == 0 and found[LORA] > 90
    return f"At {SHARED_RATE:g}, LoRA's validation items are {found[LORA]:.0f} % right and prompt tuning's {found[PROMPT]:.0f} %"


def tone_full() -> str:
    """Full fine-tuning on tone."""
    return f"Full fine-tuning is right in {f.shown(f.accuracy('compare', method=FULL))} %"


def tone_lora() -> str:
    """LoRA against full on tone."""
    return f"LoRA {f.signed(f.against_full(LORA))} points"


CLAIMS = [rates_apart, one_rate, tone_full, tone_lora]
