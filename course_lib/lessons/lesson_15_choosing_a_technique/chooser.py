"""Which technique for my case: needs in, ranked techniques out, each with its reason and with what was measured in this course."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.errors import CourseError
from ...measure import real_column as real
from ..lesson_14_rlaif import shown as fourteen
from ..real.show_preferences import agreement
from ..reference import runs
from . import memory, scorecard
from .costs import break_even, measured

NEEDS = {
    "size": tuple(memory.SHAPES),  # of the model
    "gigabytes": (int, float),  # of the GPU
    "rows": (int,),  # labelled examples of the task
    "knowledge": ("locked", "absent"),  # whether the base has read what the task needs
    "changing": (bool,),  # whether the facts change faster than one can train
    "tasks": (int,),  # on one base
    "feedback": ("labels", "pairs", "rules", "score"),  # what says that a reply is good
}
EXAMPLE = {
    "size": "7B",
    "gigabytes": 24,
    "rows": 2000,
    "knowledge": "locked",
    "changing": False,
    "tasks": 1,
    "feedback": "labels",
}
PREFER = {"pairs": "DPO", "rules": "RLAIF", "score": "RL"}  # feedback -> what is trained on it
ENOUGH, MANY = 16, 1000  # labelled rows to train on at all; tasks on one base from which the size of a file decides


@dataclass(frozen=True)
class Choice:
    """A technique, the reason in the case's own terms, and the measured figures of this course behind it."""

    technique: str
    reason: str
    measured: str


def check(needs: dict) -> None:
    """Raises `CourseError` for a need that is missing, unknown or of another kind, by name."""
    odd = sorted(set(NEEDS) ^ set(needs))
    if odd:
        raise CourseError(
            f"The needs are {', '.join(NEEDS)}; look at {', '.join(odd)}.", "Copy chooser.EXAMPLE and change it."
        )
    for name, allowed in NEEDS.items():
        value = needs[name]
        kinds = [a for a in allowed if isinstance(a, type)]
        right = (
            (isinstance(value, tuple(kinds)) and isinstance(value, bool) == (bool in kinds))
            if kinds
            else value in allowed
        )
        if not right:
            told = " or ".join(a.__name__ if isinstance(a, type) else repr(a) for a in allowed)
            raise CourseError(f"'{name}' is {value!r}; it should be {told}.", "Copy chooser.EXAMPLE and change it.")


def names(needs: dict) -> list[str]:
    """The ranked techniques alone, best first. Raises `CourseError` for needs that are not understood (`check`)."""
    check(needs)
    ranked = ["retrieval"] if needs["changing"] else []
    if needs["knowledge"] == "locked":
        ranked.append("prompt")
    if needs["rows"] >= ENOUGH:
        ways = [way for way in memory.WAYS if memory.fits(way, needs["size"], needs["gigabytes"])]
        order = (
            ["full fine-tuning", "LoRA", "QLoRA"]
            if needs["knowledge"] == "absent"
            else ["LoRA", "full fine-tuning", "QLoRA"]
        )
        if needs["tasks"] > 1:
            order.remove("full fine-tuning")
        if needs["tasks"] >= MANY and needs["knowledge"] == "locked" and "LoRA" in ways:
            ranked.append("prompt tuning")
        ranked += [way for way in order if way in ways] or ["a smaller model"]
    if needs["feedback"] != "labels":
        ranked.append(PREFER[needs["feedback"]])
    return ranked or ["collect rows"]


def choose(needs: dict) -> list[Choice]:
    """The ranked techniques with reasons and measured figures, in the order in which to try them.

    Preference methods stand last, since they begin where supervised fine-tuning or a prompt ends. Raises `CourseError` as `check` does.
    """
    return [Choice(name, _reason(name, needs), _measured(name)) for name in names(needs)]


def _reason(name: str, needs: dict) -> str:
    size, room = needs["size"], needs["gigabytes"]

    def step(way: str) -> str:
        return f"a step takes about {memory.needed(way, memory.SHAPES[size])['total'] / 1e9:.1f} GB at {size}, and there are {room}"

    return {
        "retrieval": "the facts change: put them into the prompt, since a weight cannot be looked up or corrected",
        "prompt": "the base has read what the task needs, so ask for it first; nothing is trained",
        "full fine-tuning": f"everything may change, which new knowledge wants; {step('full fine-tuning')}",
        "LoRA": f"one small file a task beside one base; {step('LoRA')}",
        "QLoRA": f"the frozen base in four bits; {step('QLoRA')}. Where LoRA fits, take LoRA",
        "prompt tuning": f"{needs['tasks']:,} tasks: the smallest file a task, and all of them can share a batch",
        "a smaller model": f"not even QLoRA fits: {step('QLoRA')}",
        "DPO": "readers compare two replies: pairs train the model directly",
        "RLAIF": "nobody compares replies, but rules can be written: a judge that reads them labels the pairs, and DPO trains on these. First test the judge "
        "on replies of your own model, with and without its rules, and let somebody else measure the result",
        "RL": "a score can be computed for any reply: nothing stands between it and the training",
        "collect rows": f"{needs['rows']} rows teach nothing that can be measured, and the base has not read it",
    }[name]


def _measured(name: str) -> str:
    costs = measured()
    calls = break_even(costs["training tokens"], costs["extra tokens"], costs["relative time"])
    return {
        "retrieval": lambda: (
            "not measured in this course as a system; lesson 01 puts the knowledge beside the question"
        ),
        "prompt": lambda: (
            f"{scorecard.beats_prompting().figures}; a prompt of six examples costs as much as a LoRA after {calls:,} calls"
        ),
        "full fine-tuning": lambda: scorecard.new_knowledge().figures,
        "LoRA": lambda: scorecard.lora_as_good().figures,
        "QLoRA": lambda: scorecard.qlora_as_good().figures,
        "prompt tuning": lambda: scorecard.soft_prompts_as_good().figures,
        "a smaller model": lambda: scorecard.lora_as_good().figures,
        "DPO": lambda: scorecard.preferences_help().figures,
        "RLAIF": lambda: f"{scorecard.ai_labels().figures}; {_judges()}",
        "RL": lambda: scorecard.clean_rewards_help().figures,
        "collect rows": lambda: scorecard.little_data().figures,
    }[name]()


def _judges() -> str:
    """What lesson 14's judges agree with: the sound one, one with a blind spot, and a model that nobody trained to judge."""
    found, (row,) = runs("14_rlaif"), real.runs("smollm2", "AI judge")
    sound, blind = (fourteen.agreement(found, judge, "constitution", "gold").value for judge in ("one", "single"))
    return f"kappa with the truth: its judge {sound:.2f}, one with a blind spot {blind:.2f}, SmolLM2-135M untrained {agreement(row, 'rules', 'gold').value:.2f}"


def told(needs: dict) -> str:
    """The choices as text, three lines each."""
    lines = []
    for place, choice in enumerate(choose(needs), 1):
        lines += [f"{place}. {choice.technique}: {choice.reason}.", f"   measured: {choice.measured}."]
    return "\n".join(lines)
