"""Reinforcement learning from a reward: TRL's `RLOOTrainer`, with arguments that are right on this machine.

RLOO is REINFORCE with the mean reward of the *other* replies to the same prompt as baseline (Ahmadian et al., arXiv 2402.14740;
Kool et al. 2019). `train_rl` checks what the reward returns, hands the work to TRL, and keeps what must be watched at each step.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.processes import world_size
from ..base.quiet import hushed
from ..base.run import Run
from ..data.instructions import prompt_text
from ..measure.memory import parameters
from .guard import dropout_off
from .run import _progress, attach, common_settings, fit, folder_for, has_adapter, joined, resolve, schedule

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ..models.houlsby import HoulsbyConfig

Reward = Callable[..., Iterable[float]]

SMALL = 50_000_000  # parameters
RATES = {(True, False): 1e-4, (True, True): 1e-3, (False, False): 1e-6, (False, True): 1e-5}  # (small?, adapter?)
PATIENCE = 3  # steps in a row without any difference between rewards before a run is stopped


def train_rl(
    prompts: Dataset | Iterable[dict],
    reward: Reward,
    *,
    watch: Reward | None = None,
    model: PreTrainedModel | str | os.PathLike | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    peft_config: PeftConfig | HoulsbyConfig | None = None,
    learning_rate: float | None = None,
    max_steps: int = 30,
    batch_size: int = 8,
    generations: int = 8,
    beta: float = 0.05,
    temperature: float = 1.0,
    seed: int = 0,
    output_dir: str | os.PathLike | None = None,
    resume: bool = False,
    quiet: bool = False,
    **arguments: Any,
) -> Run:
    """Train a model by the rewards of its own replies, with TRL's `RLOOTrainer`.

    `prompts`: rows with `prompt` (the bare text of the user's turn), or instruction rows. A step takes `batch_size` of them and
    samples `generations` replies to each at `temperature`. `reward(prompts=…, completions=…, **columns)` gets the texts and every
    other column as lists, and returns one finite number a reply. `beta` weighs the penalty for leaving the model as it was at the
    start: `beta` times the log-ratio of a reply's probabilities, in nats, is taken from its reward. `watch`, called alike, is
    measured and never trained on.

    `model`: `None` or a name loads afresh, a live model is trained *in place*; `peft_config` trains an adapter instead of all
    weights. `learning_rate=None` takes one that suits the model's size. `output_dir` and `resume` as for `cl.train`. `**arguments`
    go to `RLOOConfig` as they are, such as `max_completion_length` (tokens of a reply, 40 unless given).

    In the `Run`, `rows` counts prompts, and `history` has one dictionary a step: `step`, `reward` (the mean), `watch` (if given),
    `kl` (nats a reply against the start, estimated as the mean log-ratio), `length` (tokens), `cut` (share of replies without an
    end mark), `entropy` (nats a token), `clipped` (share of replies), `seconds`.

    Raises `CourseError` for no prompts, a reward that is no number, not finite, or one too few; and when for three steps all replies
    to each prompt had the same reward, from which nothing can be learnt; and in several processes. A sentence is printed where no reply ends.
    """
    with hushed():
        from transformers import set_seed

    if world_size() > 1:
        raise CourseError(
            f"There are {world_size()} processes, and train_rl samples and trains in one.",
            "Start it without a launcher.",
        )
    folder = folder_for(output_dir, resume)
    rows = _rows(prompts)
    _check_settings(reward, watch, batch_size=batch_size, generations=generations, beta=beta, temperature=temperature)
    set_seed(seed)
    model, tokenizer = resolve(model, tokenizer, peft_config)
    adapter = peft_config is not None or has_adapter(model)
    rate = RATES[parameters(model).total < SMALL, adapter] if learning_rate is None else learning_rate
    config = rloo_config(
        folder,
        learning_rate=rate,
        per_device_train_batch_size=batch_size * generations,
        num_generations=generations,
        beta=beta,
        temperature=temperature,
        max_steps=max_steps,
        seed=seed,
        **schedule(len(rows), batch_size=batch_size, epochs=1, max_steps=max_steps, output_dir=output_dir, **arguments),
    )
    data = _dataset(rows)

    def make(callbacks):
        from .rloo import trainer_class

        return trainer_class()(
            model,
            args=config,
            reward_funcs=[_scorer(reward, watch, rows, generations)],
            train_dataset=data,
            processing_class=tokenizer,
            peft_config=attach(model, peft_config),
            callbacks=[*callbacks, _cut_watch(quiet), _progress(quiet, ("reward", "watch", "KL a reply"))],
        )

    with dropout_off(model):
        run = fit(
            make,
            model=model,
            tokenizer=tokenizer,
            data=data,
            peft_config=peft_config,
            config=config,
            resume=resume,
            quiet=True,  # the loss of an on-policy step is zero whatever is learnt; what is printed here is the reward
        )
    return replace(run, rows=run.trainer.state.global_step * batch_size, history=_history(run.history))


def rloo_config(output_dir: str | os.PathLike, **arguments: Any):
    """`trl.RLOOConfig` with every setting that matters on this machine said aloud (`common_settings`); `arguments` override."""
    with hushed():
        from trl import RLOOConfig

    settings = {
        "max_completion_length": 40,
        "disable_dropout": True,  # the start and the policy must agree at step 0
        "lr_scheduler_type": "constant_with_warmup",
        "logging_steps": 1,
        "remove_unused_columns": False,
    }
    return RLOOConfig(**joined(common_settings(output_dir) | settings, arguments))


# ------------------------------------------------------------------ prompts


def _rows(prompts: Dataset | Iterable[dict]) -> list[dict]:
    """The prompts as dictionaries with `prompt`, a bare text."""
    rows = [dict(row) for row in prompts]
    if not rows:
        raise CourseError("There is nothing to train on: there are no prompts.", "Check the filter that made them.")
    for number, row in enumerate(rows, 1):
        if "prompt" not in row and {"instruction", "input"} <= row.keys():
            row["prompt"] = prompt_text(row)
        if not isinstance(row.get("prompt"), str) or not row["prompt"].strip():
            raise CourseError(
                f"Row {number} of the prompts has no text in the column 'prompt'; its columns are {', '.join(row)}.",
                "Give each row a 'prompt', the bare text of the user's turn; the chat template is applied here.",
            )
    return rows


def _dataset(rows: list[dict]) -> Dataset:
    """What the trainer gets: the messages, and the number of the row, by which the reward finds its columns again."""
    from datasets import Dataset

    return Dataset.from_list(
        [{"prompt": [{"role": "user", "content": row["prompt"]}], "row": number} for number, row in enumerate(rows)]
    )


def _check_settings(reward, watch, *, batch_size: int, generations: int, beta: float, temperature: float) -> None:
    for name, function in (("reward", reward), ("watch", watch)):
        if not callable(function) and not (name == "watch" and function is None):
            raise CourseError(
                f"{name} is a {type(function).__name__}, which cannot be called.",
                f"Give a function: def {name}(prompts, completions, **columns): return [a number for each completion]",
            )
    if generations < 2:
        raise CourseError(
            f"generations={generations}: a reply is compared with the other replies to its prompt, and there are none.",
            "Sample two or more; eight is a good number.",
        )
    if batch_size < 1 or beta < 0 or temperature <= 0:
        raise CourseError(
            f"batch_size={batch_size}, beta={beta}, temperature={temperature} cannot be.",
            "batch_size is at least 1, beta at least 0, and sampling needs a temperature above 0.",
        )


# ------------------------------------------------------------------ rewards


def _scorer(reward: Reward, watch: Reward | None, rows: list[dict], generations: int) -> Callable[..., list[float]]:
    """The reward as TRL calls it: with texts and columns, checked, and with the mean of `watch` logged."""
    others = sorted({key for row in rows for key in row} - {"prompt"})
    same = 0

    def score(prompts, completions, row, trainer_state, log_metric, **_) -> list[float]:
        nonlocal same
        told = {
            "prompts": [rows[i]["prompt"] for i in row],
            "completions": [messages[-1]["content"].strip() for messages in completions],
            **{key: [rows[i].get(key) for i in row] for key in others},
        }
        step = trainer_state.global_step + 1
        rewards = _numbers("reward", reward(**told), told["completions"], step)
        groups = [rewards[i : i + generations] for i in range(0, len(rewards), generations)]
        same = same + 1 if all(max(group) == min(group) for group in groups) else 0
        if same >= min(PATIENCE, trainer_state.max_steps):
            raise CourseError(
                f"For {same} steps, up to step {step}, all {generations} replies to each prompt had the same reward "
                f"(the last is {rewards[-1]:g}): every advantage is zero, so there is nothing to learn from.",
                "Give a reward that tells replies to one prompt apart, or sample more of them, or at a higher temperature.",
            )
        if watch is not None:
            watched = _numbers("watch", watch(**told), told["completions"], step)
            log_metric("watch", sum(watched) / len(watched))
        return rewards

    score.__name__ = getattr(reward, "__name__", "reward")
    return score


def _numbers(name: str, values: Iterable[float] | None, replies: list[str], step: int) -> list[float]:
    """What a reward function returned, as finite numbers, one a reply; `CourseError` otherwise."""
    each = f"Return one finite number for each reply, in their order: a list of {len(replies)}."
    if values is None or isinstance(values, (int, float, str, dict)):
        raise CourseError(f"The {name} function returned {values!r} in step {step}, not a list.", each)
    values = list(values)
    if len(values) != len(replies):
        raise CourseError(
            f"The {name} function returned {len(values)} numbers for {len(replies)} replies in step {step}.", each
        )
    found = []
    for number, (value, reply) in enumerate(zip(values, replies, strict=True), 1):
        try:
            found.append(float(value))
        except (TypeError, ValueError):
            found.append(math.nan)
        if not math.isfinite(found[-1]):
            raise CourseError(
                f"The {name} of reply {number} of {len(replies)} in step {step} is {value!r}; the reply is {reply[:60]!r}.",
                f"{each} A reply that cannot be judged needs a low number, not none.",
            )
    return found


def _cut_watch(quiet: bool):
    """A callback that says, once, that no reply has ended for some steps; and tells the progress lines the KL of a reply, not a token."""
    from transformers import TrainerCallback

    class CutWatch(TrainerCallback):
        steps = 0

        def on_log(self, args, state, control, logs=None, **kwargs):
            share = (logs or {}).get("completions/clipped_ratio")
            if share is None:
                return
            logs["KL a reply"] = logs["kl"] * logs["completions/mean_length"]  # after the log was kept
            self.steps = self.steps + 1 if share == 1 else 0
            if self.steps == min(PATIENCE, state.max_steps) and not quiet:
                print(
                    f"All replies were cut at {args.max_completion_length} tokens for {self.steps} steps: the model does not end "
                    "them. Raise max_completion_length, or start from a model that has learnt to stop."
                )

    return CutWatch()


def _history(log: list[dict]) -> list[dict]:
    """One dictionary a step, in the course's words."""
    names = {
        "reward": "reward",
        "watch": "watch",
        "length": "completions/mean_length",
        "cut": "completions/clipped_ratio",
        "entropy": "entropy",
        "clipped": "clip_ratio/region_mean",
        "seconds": "step_time",
    }
    found = []
    for entry in log:
        if "reward" not in entry:
            continue
        told = {"step": entry["step"]} | {ours: entry[theirs] for ours, theirs in names.items() if theirs in entry}
        told["kl"] = entry["kl"] * entry["completions/mean_length"]  # TRL's is a mean over tokens
        found.append(told)
    return found
