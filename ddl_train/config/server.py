"""A model on an OpenAI-compatible server that dreams or judges in place of the local base."""

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from ddl_train.config.stage import StageConfig


class ServerConfig(StageConfig):
    """A model on a server that speaks the OpenAI chat API."""

    url: str
    """Up to and including `/v1`, for example `http://127.0.0.1:8000/v1`."""
    model: str = Field(min_length=1)
    """Name that the server knows the model by. A reply from another model is an error."""
    served_as: str | None = None
    """Name that replies carry, where it differs from `model` (a gateway, an alias)."""
    api_key_env: str | None = None
    """Environment variable that holds the key; the key itself stands in no file. None sends none."""
    max_concurrency: int = Field(8, gt=0)
    """Requests under way at once."""
    max_requests_per_minute: int | None = Field(None, gt=0)
    """Requests begun a minute, retries apart. None leaves it to the server's own limit."""
    max_retries: int = Field(4, ge=0)
    """Of a request that failed, was refused for its rate, or got an answer that is no answer; each
    waits longer, and `Retry-After` is honoured up to two minutes."""
    timeout_s: float = Field(120, gt=0)
    """Longest silence of the server within one request."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Added to every request, for example `chat_template_kwargs: {enable_thinking: false}`."""

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected a URL like http://127.0.0.1:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "a URL is written into the run and may hold no user, password or query; put the "
                "key into an environment variable and name it in api_key_env"
            )
        return url.rstrip("/")


class GeneratorServerConfig(ServerConfig):
    """A server that dreams. The local base still sleeps, is measured and is published."""

    adapter_model: str | None = None
    """Name that the server knows the current adapter by, with `{version}` in it (`dreams-{version}`
    for a server that was given the run's adapters). None: `model` itself dreams every day, and no
    night changes it."""

    @field_validator("adapter_model")
    @classmethod
    def _names_version(cls, name: str | None) -> str | None:
        if name is not None and "{version}" not in name:
            raise ValueError("expected a name with {version} in it, so that each night has its own")
        return name


class CriticServerConfig(ServerConfig):
    """A server that judges. It is asked for the axes and rationales; likelihoods stay with the base."""

    scores: Literal["auto", "logprobs", "text"] = "auto"
    """`logprobs` reads the expected score from the probabilities of the answer, `text` parses the
    answer; `auto` takes the first where a question at the start shows that the server gives them."""
    num_samples: int = Field(1, gt=0)
    """With `text`: answers taken to each question. One is greedy and scores in whole points; more
    are sampled, and their mean is the score."""
    score_body: dict[str, Any] = Field(default_factory=dict)
    """Added to requests for scores, for example a constraint that the server understands
    (`structured_outputs`, `grammar`)."""
