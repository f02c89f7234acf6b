"""The base model before its first step: a small Llama with one copying circuit planted, and its optimizers."""

from __future__ import annotations

from ..base.hardware import bf16_pays
from .base_recipe import Recipe


def build_model(recipe: Recipe, tokenizer):
    """An untrained Llama of the recipe's size, float32, with one copying circuit planted (see `plant_copying`)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=recipe.vocabulary,
            hidden_size=recipe.hidden,
            intermediate_size=recipe.mlp,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.kv_heads,
            max_position_embeddings=recipe.context,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    plant_copying(model, recipe.seed)
    return model


def plant_copying(model, seed: int = 0) -> None:
    """Write an *induction head* into the first weights, so that the model can copy from the first step on.

    Large models find this circuit by themselves (Olsson et al., arXiv 2209.11895): a head of the first layer looks one token
    back, a head of the second looks for places whose previous token is the present one, and copies what stands there. Left to
    chance, a model of this size had not found it after 24M tokens. Training keeps the circuit, since the corpus pays for it.
    All other blocks begin as zero: their outputs are switched on by training (Zhang et al., arXiv 1901.09321, §2).
    """
    import torch

    config = model.config
    width, inner, std = config.hidden_size, config.hidden_size // config.num_attention_heads, config.initializer_range
    half = inner // 2
    speeds = config.rope_parameters["rope_theta"] ** (-torch.arange(0, inner, 2).float() / inner)
    draw = torch.Generator().manual_seed(seed)
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        for projection in (first.q_proj, first.k_proj, first.v_proj, second.q_proj, second.k_proj, second.v_proj):
            projection.weight[:inner].zero_()
        # One token back: every embedding shares its first entry; through it, query and key are constants whose rotary phases
        # agree at a distance of one. The six fastest rotations make that peak narrow.
        model.model.embed_tokens.weight[:, 0] = 4 * std
        fast = torch.arange(6)
        first.k_proj.weight[fast, 0] = 2.5
        first.q_proj.weight[fast, 0] = 2.5 * torch.cos(speeds[fast])
        first.q_proj.weight[fast + half, 0] = -2.5 * torch.sin(speeds[fast])
        # What that token was goes to directions of its own; there the second layer's head looks for the present token. The
        # slow rotations compare contents at any distance.
        slow = torch.cat([torch.arange(half // 2, half), torch.arange(half + half // 2, inner)])
        directions = torch.linalg.qr(torch.randn(width - 1, 2 * len(slow), generator=draw))[0].T
        read, write = directions[: len(slow)], directions[len(slow) :]
        first.v_proj.weight[: len(slow), 1:] = read
        first.o_proj.weight[1:, : len(slow)] = std * write.T
        second.q_proj.weight[slow, 1:] = 2 * read
        second.k_proj.weight[slow, 1:] = 2 * write
        copied = torch.linalg.qr(torch.randn(width - 1, inner, generator=draw))[0].T
        second.v_proj.weight[:inner, 1:] = copied
        second.o_proj.weight[1:, :inner] = 20 * std * copied.T


def build_optimizers(model, recipe: Recipe) -> list:
    """AdamW everywhere, or Muon on the matrices inside the blocks and AdamW on embeddings and norms."""
    import torch

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if not (p.ndim == 2 and "embed" not in n)]
    rate = recipe.cycles[0][1]  # the schedule sets it at every step
    adam = {"lr": rate, "betas": (0.9, 0.95), "fused": True}
    if recipe.optimizer == "adamw":
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        return [torch.optim.AdamW(groups, **adam)]
    if next(iter(matrices)).device.type == "cpu" and not bf16_pays("cpu"):
        import torch.optim._muon as muon

        muon._zeropower_via_newtonschulz = _orthogonal
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, weight_decay=0.0, **adam),
    ]


def _orthogonal(grad, ns_coefficients, ns_steps, eps):
    """Muon's Newton-Schulz iteration in float32: torch's is in bfloat16, which processors without bf16 units emulate, slowly."""
    import torch

    a, b, c = ns_coefficients
    wide = grad.float() if grad.size(0) <= grad.size(1) else grad.float().T
    wide = wide / wide.norm().clamp(min=eps)
    for _ in range(ns_steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide if grad.size(0) <= grad.size(1) else wide.T
