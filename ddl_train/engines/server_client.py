"""Ask a server many questions at once, patiently, and say in one sentence why that cannot go on.

Retries with back-off and `Retry-After` are the `openai` library's; here is what it lacks: a pace in
requests a minute, a new try after a reply that is none, and a bound on a server that drips.
"""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ddl_train.config import ServerConfig
from ddl_train.engines.server_replies import BadReplyError, Reply, is_from, read_reply
from ddl_train.errors import ConfigError, ResourceError, ServerError

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

SAVED = "what is done is saved, and the same command goes on from there"
_CONNECT_S = 10.0
_LONGEST_WAIT_S = 120.0
"""That the library heeds in `Retry-After`."""
_FILTERED = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")

Request = Mapping[str, Any]
"""Arguments of a chat completion, all but the model."""


class ServerClient:
    """One model on one server."""

    def __init__(self, config: ServerConfig, *, where: str) -> None:
        """Look for the library and the key; nothing is sent.

        Args:
            config: of the server.
            where: it stands in the config, for sentences (`wake.critic`).

        Raises:
            ResourceError: the `openai` extra is not installed.
            ConfigError: the environment variable of the key is not set.
        """
        if find_spec("openai") is None:
            raise ResourceError(f"{where} needs the package openai; install `ddl-train[openai]`")
        self._config = config
        self._where = where
        self._key = self._read_key()

    def ask(self, requests: Sequence[Request], *, model: str) -> list[Reply | None]:
        """Answers in order; None where the server's content filter refused a question.

        Raises:
            ServerError: one of them cannot be had. The others are called off.
        """
        # a thread of its own: the caller may be a notebook, in which a loop runs already
        with closing(asyncio.new_event_loop()) as loop, ThreadPoolExecutor(1, "server") as thread:
            asking = loop.create_task(self._ask_all(requests, model))
            done = thread.submit(loop.run_until_complete, asking)
            try:
                return done.result()
            except KeyboardInterrupt:
                loop.call_soon_threadsafe(asking.cancel)
                raise

    async def _ask_all(self, requests: Sequence[Request], model: str) -> list[Reply | None]:
        from openai import AsyncOpenAI, Timeout

        config = self._config
        room = asyncio.Semaphore(config.max_concurrency)
        pace = _Pace(config.max_requests_per_minute)
        client = AsyncOpenAI(
            base_url=config.url,
            api_key=self._key or "none",
            max_retries=config.max_retries,
            timeout=Timeout(config.timeout_s, connect=min(_CONNECT_S, config.timeout_s)),
        )

        async def ask_one(request: Request) -> Reply | None:
            async with room:
                await pace.wait()
                return await self._ask_one(client, request, model)

        try:
            async with client, asyncio.TaskGroup() as group:
                tasks = [group.create_task(ask_one(request)) for request in requests]
        except* ServerError as errors:
            raise _first(errors) from None
        return [task.result() for task in tasks]

    async def _ask_one(self, client: "AsyncOpenAI", request: Request, model: str) -> Reply | None:
        """One answer, after as many tries as the config allows."""
        config = self._config
        reason = ""
        for attempt in range(config.max_retries + 1):
            if attempt:
                await asyncio.sleep(min(0.5 * 2 ** (attempt - 1), 8.0))
            try:
                body = await self._body(client, request, model)
                if body is None:
                    return None
                reply = read_reply(body)
            except BadReplyError as error:
                reason = str(error)
                continue
            expected = config.served_as if model == config.model else None
            if not is_from(reply.model, expected or model):
                raise self._error(
                    f"answers as {reply.model!r}, and was asked for {model!r}; name the model that "
                    f"it serves, or set {self._where}.served_as if that is the same"
                )
            return reply
        raise self._error(f"gives replies that cannot be read{self._tries}: {reason}")

    async def _body(self, client: "AsyncOpenAI", request: Request, model: str) -> str | None:
        """The raw body of a reply; None where a content filter stood before it."""
        import openai

        config = self._config
        body = {**dict(request.get("extra_body", {})), **config.extra_body}
        longest = (config.max_retries + 1) * (config.timeout_s + _LONGEST_WAIT_S)
        try:
            async with asyncio.timeout(longest):
                raw = await client.chat.completions.with_raw_response.create(
                    **{**request, "model": model, "extra_body": body}
                )
                return str(raw.text)
        except (TimeoutError, openai.APITimeoutError):
            raise self._error(
                f"does not answer within {config.timeout_s:g} s{self._tries}; raise "
                f" {self._where}.timeout_s, or lower max_concurrency"
            ) from None
        except openai.APIConnectionError as error:
            cause = str(error.__cause__ or error) or type(error.__cause__).__name__
            raise self._error(f"cannot be reached, or hangs up ({cause[:120]})") from None
        except openai.APIStatusError as error:
            if getattr(error, "code", None) in _FILTERED:
                return None
            raise self._error(self._refusal(error, model)) from None
        except json.JSONDecodeError:
            raise BadReplyError("it is not JSON") from None

    def _refusal(self, error: "APIStatusError", model: str) -> str:
        """What a refusing status means, as the second half of a sentence."""
        config, said = self._config, self._clean(error)
        if error.status_code in (401, 403):
            key = f"the key in {config.api_key_env}" if self._key else "to work without a key"
            mend = "" if self._key else f"; name its variable in {self._where}.api_key_env"
            return f"refuses {key} ({error.status_code}: {said}){mend}"
        if error.status_code == 404:
            return f"has no model {model!r}, or no chat API at this URL ({said})"
        if error.status_code == 429:
            wait = error.response.headers.get("retry-after")
            asks = f" and asks to wait {wait} s" if wait else ""
            return (
                f"refuses more requests for now{asks} ({said}); lower {self._where}."
                "max_concurrency or set max_requests_per_minute"
            )
        if error.status_code >= 500:
            return f"fails with {error.status_code}{self._tries} ({said})"
        mend = "; set wake.min_p to 0, which it does not know" if "min_p" in said else ""
        return f"refuses a request with {error.status_code} ({said}){mend}"

    @property
    def _tries(self) -> str:
        times = self._config.max_retries + 1
        return f", {times} times" if times > 1 else ""

    def _clean(self, error: "APIStatusError") -> str:
        """What the server said, on one line, without the key."""
        body = error.body
        said = body.get("message") if isinstance(body, dict) else None
        text = " ".join(str(said or error.response.text or "no reason given").split())[:200]
        return text.replace(self._key, "[key]") if self._key else text

    def _error(self, what: str) -> ServerError:
        return ServerError(f"{self._where}: the server at {self._config.url} {what}; {SAVED}")

    def _read_key(self) -> str | None:
        name = self._config.api_key_env
        if name is None:
            return None
        key = os.environ.get(name, "").strip()
        if not key:
            raise ConfigError(
                f"{self._where}.api_key_env names {name}, and the environment has no such "
                "variable; set it to the key of the server"
            )
        return key


class _Pace:
    """Lets one request begin after another, so many a minute."""

    def __init__(self, per_minute: int | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0

    async def wait(self) -> None:
        if not self._gap:
            return
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._gap
        await asyncio.sleep(turn - now)


def _first(errors: BaseExceptionGroup[ServerError]) -> ServerError:
    """Of errors that came together, the first one."""
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
