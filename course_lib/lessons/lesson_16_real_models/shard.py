"""FSDP2 in one screen: what each of several processes holds of a model, before and after `fully_shard`, and that it computes the same.

    torchrun --standalone --nproc_per_node 2 course_lib/lessons/lesson_16_real_models/shard.py

PyTorch's `fully_shard` cuts every weight into rows, one piece a process, and puts a layer together only while it computes. So weights,
gradients and the optimizer's moments take the n-th part of the memory each. It runs on CPUs too (gloo), where it shows everything but speed.
"""

from __future__ import annotations

import json
import sys

STEPS, RATE, WIDTH = 3, 0.01, 64


def model_and_rows():
    """A small network, rows and targets: the same in every process."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Linear(WIDTH, 4 * WIDTH), torch.nn.GELU(), torch.nn.Linear(4 * WIDTH, WIDTH)]
    return torch.nn.Sequential(*layers), torch.randn(8, WIDTH), torch.randn(8, WIDTH)


def train(model, rows, targets) -> list[float]:
    """The loss of each of `STEPS` steps of AdamW, as this process sees it."""
    import torch

    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=RATE), []
    for _ in range(STEPS):
        loss = torch.nn.functional.mse_loss(model(rows), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def main() -> None:
    """Shard, train on this process's share of the rows, and print (first process) what each process holds."""
    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    gpu = torch.cuda.is_available()
    dist.init_process_group("nccl" if gpu else "gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    device = torch.device("cuda", rank) if gpu else torch.device("cpu")
    plain, rows, targets = model_and_rows()
    whole = sum(p.numel() for p in plain.parameters())
    alone = train(plain, rows, targets)

    model, rows, targets = (part.to(device) for part in model_and_rows())
    mesh = init_device_mesh(device.type, (size,))
    for layer in model:
        if isinstance(layer, torch.nn.Linear):
            fully_shard(layer, mesh=mesh)  # put together and taken apart again by itself
    fully_shard(model, mesh=mesh)
    mine = slice(rank * len(rows) // size, (rank + 1) * len(rows) // size)
    told = train(model, rows[mine], targets[mine])
    together = torch.tensor(told, device=device)
    dist.all_reduce(together)
    here = {
        "rank": rank,
        "parameters": sum(p.to_local().numel() for p in model.parameters()),
        "shapes": {n: [list(p.shape), list(p.to_local().shape)] for n, p in model.named_parameters()},
    }
    everybody = [None] * size
    dist.all_gather_object(everybody, here)
    if rank == 0:
        losses = (together / size).tolist()
        out = {"world_size": size, "parameters": whole, "processes": everybody, "alone": alone, "sharded": losses}
        print(json.dumps(out))
    dist.barrier()  # nobody hangs up while another still speaks
    dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
