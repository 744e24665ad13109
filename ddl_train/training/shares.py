"""One night on several processes: who reads which rows, so that each step is what one process does.

An optimizer step takes the same rows in whatever number of processes: accumulation is divided
first, then the batch. The Trainer would fill up the last step of an epoch with rows of its
beginning; here it is filled with rows that nothing is learnt from, and as the loss is a sum over
the trained tokens of all processes, it is the loss of one process.
"""

import math

from accelerate.data_loader import SeedableRandomSampler
from datasets import Dataset

from ddl_train.config import SleepConfig
from ddl_train.training.encoding import IGNORED


def shared(config: SleepConfig) -> SleepConfig:
    """What one of the processes is told, in their `in_steps` rows; itself with a single process."""
    if config.num_processes == 1:
        return config
    by_accumulation = math.gcd(config.gradient_accumulation_steps, config.num_processes)
    by_batch = config.num_processes // by_accumulation
    changes: dict[str, float] = {
        "gradient_accumulation_steps": config.gradient_accumulation_steps // by_accumulation,
        "num_train_epochs": 1.0,
    }
    if not config.packing:
        changes["per_device_train_batch_size"] = config.per_device_train_batch_size // by_batch
    if config.neftune_noise_alpha is not None and config.padding_free:
        # noise falls with the root of the tokens in a sequence, which are a whole batch here
        changes["neftune_noise_alpha"] = config.neftune_noise_alpha / math.sqrt(by_batch)
    return config.model_copy(update=changes)


def in_steps(rows: Dataset, config: SleepConfig, *, num_steps: int, seed: int) -> Dataset:
    """The rows of a whole night in the order in which a single process would meet them.

    Args:
        rows: as the trainer holds them, packed or not.
        config: of the night.
        num_steps: optimizer steps of all epochs.
        seed: of the night.

    Returns:
        `num_steps` x `config.rows_per_step` rows; those that fill up an epoch have no label.
    """
    blank = {**rows[0], "labels": [IGNORED] * len(rows[0]["labels"])}
    per_step = config.rows_per_step
    order: list[int] = []
    sampler = SeedableRandomSampler(range(len(rows)), data_seed=seed)  # an epoch each time
    while len(order) < num_steps * per_step:
        order += sampler
        order += [len(rows)] * (-len(order) % per_step)
    return rows.add_item(blank, new_fingerprint=None).select(order[: num_steps * per_step])
