"""What a person is told of servers that dream or judge, before any of them is asked."""

from ddl_train.config import Config, ServerConfig

_HOW = {
    "auto": "logprobs if it gives them, by its text if not",
    "logprobs": "logprobs",
    "text": "its text",
}


def check_servers(config: Config) -> list[str]:
    """Say what each server of a config is for, a sentence each; nothing is sent.

    Raises:
        ResourceError: the `openai` extra is not installed.
        ConfigError: the environment variable of a key is not set.
    """
    from ddl_train.engines.server_client import ServerClient

    generator, second = config.wake.generator, config.wake.cascade.second
    notes = []
    if generator is not None:
        ServerClient(generator, where="wake.generator")
        notes.append(
            f"wake.generator: {_who(generator)} dreams; {_adapter(generator.adapter_model)}"
        )
    critics = {
        "wake.critic": (config.wake.critic, "judges"),
        "wake.cascade.second.server": (second.server if second else None, "judges the best again"),
    }
    for where, (critic, does) in critics.items():
        if critic is not None:
            ServerClient(critic, where=where)
            notes.append(f"{where}: {_who(critic)} {does}, by {_HOW[critic.scores]}")
    return notes


def _who(server: ServerConfig) -> str:
    return f"{server.model} at {server.url} ({server.max_concurrency} requests at once)"


def _adapter(name: str | None) -> str:
    if name is not None:
        return f"it must know each promoted adapter as {name!r}"
    return "it has no adapter of this run, so that no night changes what is dreamt"
