"""Models beside the local base that a config has dream or judge in wake; none is asked anything yet."""

from ddl_train.config import WakeConfig
from ddl_train.engines.server_engine import ServerEngine
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.engines.vllm_engine import VllmEngine
from ddl_train.errors import ModelError
from ddl_train.records import Critic, Engine, TextModel
from ddl_train.roles.critic import LogitCritic
from ddl_train.roles.prompts import PromptPack


def load_larger(config: WakeConfig) -> TransformersEngine | None:
    """The larger critic's model, where it runs here.

    Raises:
        ModelError: it cannot be loaded.
        ResourceError: the machine lacks what was asked for.
    """
    local = config.cascade.second.local if config.cascade.second else None
    if local is None:
        return None
    try:
        return load_engine(local)
    except ModelError as error:
        raise ModelError(f"wake.cascade.second.local: {error}") from None


def second_critic(
    config: WakeConfig, engine: Engine, pack: PromptPack, judge: TextModel | None
) -> Critic | None:
    """The larger critic. Likelihoods are not asked of it, so the local base only stands by."""
    if judge is None:
        return None
    asked = config.model_copy(update={"min_support": None, "min_rederived": None})
    return LogitCritic(engine, pack, asked, judge=judge)


def make_vllm(config: WakeConfig, engine: TransformersEngine) -> VllmEngine | None:
    """What a config says of vLLM; it starts when it is first asked."""
    if config.vllm is None:
        return None
    return VllmEngine(engine, config.vllm, room=config.max_answer_tokens + 1)


def make_servers(config: WakeConfig, engine: TransformersEngine) -> dict[str, ServerEngine]:
    """The servers that a config names, by role; none of them is asked anything yet."""
    second = config.cascade.second
    named = {
        "generator": ("wake.generator", config.generator),
        "critic": ("wake.critic", config.critic),
        "second": ("wake.cascade.second.server", second.server if second else None),
    }
    return {
        role: ServerEngine(
            server,
            where=where,
            special_tokens=engine.special_tokens,
            count=lambda text: len(engine.chat.text_ids(text)),
        )
        for role, (where, server) in named.items()
        if server is not None
    }
