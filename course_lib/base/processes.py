"""One training in several processes: how many there are, which one this is, and whether they really belong together.

A launcher that does not do what was asked ends in no error: each process then trains alone, on all rows, and overwrites the results of
the others. So what is expected is said (`check_world`), and the processes are counted by what they hear from each other.
"""

from __future__ import annotations

import os

from .errors import CourseError

LAUNCH = "torchrun --nproc_per_node {n} -m course_lib.workshop.cli train RECIPE"


def world_size() -> int:
    """How many processes this training has: what PyTorch's process group says, else what a launcher has put into `WORLD_SIZE`, else 1."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that prints and writes."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        return dist.get_rank() == 0
    return int(os.environ.get("RANK", "0")) == 0


def wait() -> None:
    """Wait until every process is here; at once where there is one."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()


def check_world(expected: int) -> None:
    """Join the processes of this training and count them: each sends a 1. Raises `CourseError` when there are not `expected`.

    Under `accelerate launch --cpu --num_processes 2` there is one; under `notebook_launcher` on a CPU there are two that do not know of
    each other (Accelerate 1.15).
    """
    import torch
    from accelerate import PartialState

    launched = int(os.environ.get("WORLD_SIZE", "1"))
    state = PartialState(cpu=not torch.cuda.is_available())
    one = torch.ones(1, device=state.device)
    if state.num_processes > 1:
        torch.distributed.all_reduce(one)
    found = int(one.item())
    if found != expected or state.num_processes != expected:
        told = f", though a launcher speaks of {launched}" if launched != found else ""
        raise CourseError(
            f"The world size is {found}{told}, and {expected} process{'es were' if expected > 1 else ' was'} asked for.",
            f"Start it with: {LAUNCH.format(n=expected)}" if expected > 1 else f"Say processes: {found}, or start one.",
        )


def share_of(count: int, what: str = "batch_size") -> int:
    """How many of the rows of a step fall to this process. Raises `CourseError` where they cannot be shared out evenly."""
    size = world_size()
    if count % size:
        raise CourseError(
            f"{what}={count} rows cannot be shared out evenly to {size} processes.", f"Give a multiple of {size}."
        )
    return count // size
