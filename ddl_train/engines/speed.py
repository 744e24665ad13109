"""Tokens a second of several models on one machine, in turns, so that its moods are shared."""

from collections.abc import Sequence

from ddl_train.records import Engine, Sampling

NUM_ROUNDS = 3


def tokens_per_second(
    models: Sequence[tuple[Engine, str]], prompts: Sequence[str], sampling: Sampling
) -> list[float]:
    """Tokens that each (engine, adapter) writes in a second after the same prompts.

    All write once to warm up, then `NUM_ROUNDS` times in turns. The adapters are loaded.
    """
    tokens, seconds = [0] * len(models), [0.0] * len(models)
    for number in range(NUM_ROUNDS + 1):
        for place, (engine, adapter) in enumerate(models):
            _, usage = engine.generate(prompts, sampling=sampling, adapter=adapter, seed=0)
            if number:
                tokens[place] += usage.num_completion_tokens
                seconds[place] += usage.seconds
    return [count / time if time else 0.0 for count, time in zip(tokens, seconds, strict=True)]
