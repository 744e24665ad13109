"""Whether a prompt fits a model."""

from ddl_train.config import ModelConfig
from ddl_train.errors import ModelError


def check_fit(
    prompt: str, num_tokens: int, room: int, config: ModelConfig, max_positions: int | None
) -> None:
    """Refuse a prompt that is too long.

    Args:
        prompt: for the message.
        num_tokens: of the prompt in the chat format.
        room: tokens of its answer.
        config: of the model; `max_length` is for prompts alone.
        max_positions: tokens that the model was made to hold, where that is known.

    Raises:
        ModelError: it does not fit.
    """
    if num_tokens > config.max_length:
        raise ModelError(
            f"a prompt of {num_tokens} tokens is longer than model.max_length "
            f"{config.max_length}: {prompt[:60]!r}; raise model.max_length, or lower "
            "memory.max_tokens"
        )
    if max_positions is not None and num_tokens + room > max_positions:
        raise ModelError(
            f"a prompt of {num_tokens} tokens and an answer of {room} do not fit the "
            f"{max_positions} positions of {config.base}: {prompt[:60]!r}; lower "
            "memory.max_tokens or the number of new tokens"
        )
