"""TRL's `RLOOTrainer` with three changes: each prompt is read once, the policy once a step, and KL is always measured.

Loss, advantages and logs are TRL's own. `tests/test_rl.py` holds the trainer to the plain one: same loss, same gradients.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from ..base.quiet import hushed
from ..models.four_bits import in_four_bits
from . import rollouts

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

UNPENALISED = 1e-12  # TRL measures KL only where it is penalised; so small a coefficient changes no reward in float32


def trainer_class():
    """The class, made on first use: importing TRL takes seconds."""
    with hushed():
        from trl import RLOOTrainer

    class GroupTrainer(RLOOTrainer):
        def __init__(self, model: PreTrainedModel, *, args, peft_config: PeftConfig | None = None, **others) -> None:
            """As TRL's. The reference is the policy as it comes in: TRL would load a live model's reference by its *name*."""
            self._sampler = _twin(model, peft_config)
            adapted = peft_config is not None or hasattr(model, "peft_config")
            frozen = {
                id(p): p for p in model.parameters() if not p.requires_grad
            }  # below Houlsby's adapters, say: shared
            reference = None if adapted else copy.deepcopy(model, frozen).eval().requires_grad_(False)
            beta, args.beta = args.beta, 0.0
            super().__init__(model, args=args, peft_config=peft_config, **others)
            args.beta, self.beta, self.ref_model = beta, beta or UNPENALISED, reference
            self._held: tuple[torch.Tensor, torch.Tensor] | None = (
                None  # log-probabilities and entropies, with their graph
            )
            self._rows: torch.Tensor | None = None
            self._share = rollouts.can_share(self.model) and self.accelerator.num_processes == 1
            self._once = self._share and self.num_iterations == args.steps_per_generation == 1
            sampling = (args.top_p, args.top_k or 0, args.min_p, args.repetition_penalty, args.generation_kwargs)
            self._plain = self._share and sampling == (1.0, 0, None, 1.0, None) and not args.use_vllm

        def _generate_single_turn(self, prompt_ids, images, multimodal_fields):
            if not self._plain or images is not None or self.use_transformers_continuous_batching:
                return super()._generate_single_turn(prompt_ids, images, multimodal_fields)
            model = self.model if self._sampler is None else _merged_into(self._sampler, self.model)
            with rollouts.evaluating(model):
                return rollouts.sample(
                    model,
                    prompt_ids,
                    ends=self.eos_token_ids,
                    pad=self._tokenizer.pad_token_id,
                    longest=self.max_completion_length,
                    temperature=self.temperature,
                )

        def _generate_and_score_completions(self, inputs):
            self._held = None
            output = super()._generate_and_score_completions(inputs)
            output["rows"] = torch.arange(len(output["advantages"]), device=output["advantages"].device)
            return output  # TRL shuffles the rows next

        def _compute_loss(self, model, inputs):
            self._rows = inputs["rows"]
            try:
                return super()._compute_loss(model, inputs)
            finally:
                self._rows = self._held = None

        def _get_per_token_logps_and_entropies(
            self, model, input_ids, attention_mask, logits_to_keep, batch_size=None, compute_entropy=False, **others
        ):
            if not self._share or others.get("compute_aux_loss"):
                return super()._get_per_token_logps_and_entropies(
                    model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, **others
                )
            if self._rows is not None and self._held is not None:  # the training pass: what the sampling policy said
                return self._held[0][self._rows], self._held[1][self._rows], None
            hold = self._once and self._held is None and self._rows is None and self.model.training
            with torch.set_grad_enabled(hold or torch.is_grad_enabled()), self.accelerator.autocast():
                found = rollouts.log_probabilities(model, input_ids, attention_mask, logits_to_keep, self.temperature)
            if hold:
                self._held = found
            return found[0].detach() if hold else found[0], found[1], None

    return GroupTrainer


def _twin(model: PreTrainedModel, peft_config: PeftConfig | None) -> PreTrainedModel | None:
    """A second model of the same parameter objects to sample from, without what a trainer lays over `forward`.

    `None` where an adapter will be put in that cannot be added into weights; then the policy samples itself.
    """
    from peft import LoraConfig

    plain_lora = isinstance(peft_config, LoraConfig) and not peft_config.use_dora
    if peft_config is not None and (not plain_lora or in_four_bits(model)):
        return None
    shared = {id(p): p for p in model.parameters()}
    twin = copy.deepcopy(model, shared).eval()
    if twin.config._attn_implementation == "eager" and getattr(twin, "_supports_sdpa", False):
        twin.set_attn_implementation("sdpa")  # eager wins in training only; a token at a time it takes twice as long
    return twin


@torch.no_grad()
def _merged_into(twin: PreTrainedModel, model: PreTrainedModel) -> PreTrainedModel:
    """The twin with the adapter of `model` added into its weights, and the base's own left alone; returns the twin."""
    from peft.tuners.lora import LoraLayer

    if hasattr(twin, "peft_config") or not hasattr(model, "peft_config"):
        return twin
    for name, layer in model.get_base_model().named_modules():
        if isinstance(layer, LoraLayer):
            weight = layer.get_base_layer().weight
            merged = weight + sum(layer.get_delta_weight(adapter) for adapter in layer.active_adapters)
            twin.get_submodule(name).weight = torch.nn.Parameter(merged, requires_grad=False)
    return twin
