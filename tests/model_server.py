"""A small OpenAI-compatible server on 127.0.0.1, and what speaks behind it.

with ModelServer(Seedling(engine)) as server:
    server.url                                   up to /v1
    server.asked                                 bodies of all requests, in order
    server.fail(times=2, status=429, headers={"Retry-After": "1"})
    server.fail(then="cut")                      half of the body is sent

`Seedling` runs a real model through the engine; `Says` answers from a function. Both give the
probabilities of what they say; `gives_logprobs=False` leaves them out without a word, as
`transformers serve` does.
"""

import json
import math
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, Self

import torch

from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import BASE

Written = Sequence[tuple[str, Mapping[str, float]]]
"""Each token, and the log-probabilities of the likeliest in its place."""


class Speaker(Protocol):
    def speak(self, asked: Mapping[str, Any]) -> tuple[Written, bool, int]:
        """Tokens, whether it came to an end, and how many tokens were read."""
        ...


class Says:
    """Says what a function makes of the last user message, a word a token."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        self._answer = answer

    def speak(self, asked: Mapping[str, Any]) -> tuple[Written, bool, int]:
        prompt = asked["messages"][0]["content"]
        words = self._answer(prompt).split(" ")[: asked["max_tokens"]]
        sure = {"": math.log(0.1)}
        written = [(word, {word: math.log(0.9), **sure}) for word in words]
        return written, len(words) < asked["max_tokens"], len(prompt.split())


class Seedling:
    """A real model, one request at a time."""

    def __init__(self, engine: TransformersEngine) -> None:
        self._engine = engine
        self._lock = threading.Lock()

    def speak(self, asked: Mapping[str, Any]) -> tuple[Written, bool, int]:
        chat = self._engine.chat
        prompt = chat.prompt_ids(asked["messages"][0]["content"])
        if asked["messages"][-1]["role"] == "assistant":
            prompt = prompt + chat.completion_ids(asked["messages"][-1]["content"], eos=False)
        ids, cache, written = torch.tensor([prompt]), None, list[tuple[str, dict[str, float]]]()
        draws = torch.Generator().manual_seed(asked.get("seed") or 0)
        with self._lock, torch.no_grad(), self._engine.adapters.active(BASE) as model:
            for _ in range(asked["max_tokens"]):
                output = model(input_ids=ids, past_key_values=cache, use_cache=True)
                logits, cache = output.logits[0, -1].float(), output.past_key_values
                token = self._choose(logits, asked.get("temperature", 1.0), draws)
                if token in chat.eos_token_ids:
                    return written, True, len(prompt)
                likely = logits.log_softmax(-1).topk(asked.get("top_logprobs", 1))
                pairs = zip(likely.indices.tolist(), likely.values.tolist(), strict=True)
                tokens = {chat.tokenizer.decode([one]): value for one, value in pairs}
                written.append((chat.tokenizer.decode([token]), tokens))
                ids = torch.tensor([[token]])
        return written, False, len(prompt)

    @staticmethod
    def _choose(logits: torch.Tensor, temperature: float, draws: torch.Generator) -> int:
        if temperature == 0:
            return int(logits.argmax())
        return int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=draws))


@dataclass
class Fault:
    times: int
    status: int = 0
    then: str = ""
    """`drop`: the connection is reset; `hang`: nothing is answered; `drip`: a byte now and then;
    `cut`: half of the body is sent; `garble`: it is no JSON; anything else is a change, see
    `_spoil`."""
    headers: dict[str, str] = field(default_factory=dict)
    after: int = 0
    """Requests that are answered well before."""


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has hung up."""


class ModelServer:
    """Starts with the context and ends with it."""

    def __init__(
        self, speaker: Speaker, *, gives_logprobs: bool = True, continues: bool = True
    ) -> None:
        self.speaker = speaker
        self.gives_logprobs = gives_logprobs
        self.continues = continues
        """False: an answer that was begun for it is an answer to it."""
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.most_at_once = 0
        self.is_closing = threading.Event()
        self.faults: list[Fault] = []
        self._now = 0
        self._lock = threading.Lock()
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        poll = {"poll_interval": 0.05}
        threading.Thread(target=self._server.serve_forever, kwargs=poll, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, *, times: int = 1_000_000, **how: Any) -> None:
        self.faults.append(Fault(times, **how))

    def begin(self, asked: dict[str, Any], key: str) -> Fault | None:
        with self._lock:
            self.asked.append(asked)
            self.keys.append(key)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            for fault in self.faults:
                if fault.after:
                    fault.after -= 1
                elif fault.times:
                    fault.times -= 1
                    return fault
        return None

    def end(self) -> None:
        with self._lock:
            self._now -= 1

    def reply(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What the API promises."""
        written, is_over, num_read = self.speaker.speak(asked)
        begun = asked["messages"][-1]
        text = "".join(token for token, _ in written)
        if isinstance(self.speaker, Says):
            text = " ".join(token for token, _ in written)
        if begun["role"] == "assistant" and not self.continues:
            written = [("no", {"no": 0.0, "yes": -9.0})]
        told = asked.get("logprobs") and self.gives_logprobs
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop" if is_over else "length",
                    "message": {"role": "assistant", "content": text},
                    "logprobs": {"content": [_place(*one) for one in written]} if told else None,
                }
            ],
            "usage": {
                "prompt_tokens": num_read,
                "completion_tokens": len(written),
                "total_tokens": num_read + len(written),
            },
        }


def _place(token: str, likely: Mapping[str, float]) -> dict[str, Any]:
    top = [{"token": one, "logprob": value, "bytes": None} for one, value in likely.items()]
    return {"token": token, "logprob": likely.get(token, -9.0), "bytes": None, "top_logprobs": top}


def _spoil(reply: dict[str, Any], how: str) -> dict[str, Any]:
    """A reply that lies."""
    choice = reply["choices"][0]
    if how == "no logprobs":
        choice["logprobs"] = None
    elif how == "impossible logprobs":
        for place in choice["logprobs"]["content"]:
            place["top_logprobs"][0]["logprob"] = 3.0
    elif how == "other model":
        reply["model"] = "a-smaller-one"
    elif how == "no choices":
        reply["choices"] = []
    elif how == "no usage":
        del reply["usage"]
    elif how == "an error":
        return {"error": {"message": "the model fell over"}}
    elif how == "nothing":
        choice["message"]["content"] = None
    return reply


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fault = server.begin(asked, self.headers.get("Authorization", ""))
            try:
                self._answer(asked, fault)
            finally:
                server.end()

        def _answer(self, asked: dict[str, Any], fault: Fault | None) -> None:
            then = fault.then if fault else ""
            if then == "hang":
                server.is_closing.wait()
                self.close_connection = True
                return
            if then == "drop":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()
                return
            if fault is not None and fault.status:
                key = self.headers.get("Authorization", "").removeprefix("Bearer ")
                code = "content_filter" if then == "filter" else None
                said = {"message": f"as told, {key}", "code": code}
                self._send(fault.status, json.dumps({"error": said}).encode(), fault.headers)
                return
            content = json.dumps(_spoil(server.reply(asked), then)).encode()
            if then == "garble":
                content = b"<html>" + content
            self._send(200, content, {}, then)

        def _send(
            self, status: int, content: bytes, headers: Mapping[str, str], then: str = ""
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if then == "cut":
                content, self.close_connection = content[: len(content) // 2], True
            if then == "drip":
                while not server.is_closing.is_set():
                    self.wfile.write(b" ")
                    time.sleep(0.05)
                self.close_connection = True
                return
            self.wfile.write(content)

    return Handler
