"""A small Hub on 127.0.0.1: the part of the API that the client uses to publish and to fetch.

with LocalHub() as hub:
    hub.url                                  for HF_ENDPOINT
    hub.repo("ada/dreams").files()           path -> content on main
    hub.fail("POST", "/commit/", times=1, status=500)
    hub.fail("POST", "/commit/", times=1, then="drop", is_done=True)      done, and the answer lost

Contents live in memory. Users have tokens that may write or read only. A commit with another parent
than the head is refused with 412, as the Hub does.
"""

import hashlib
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.hub.answers import Refused, answer

WRITER, READER = "hf_" + "w" * 34, "hf_" + "r" * 34
TOKENS = {WRITER: ("ada", "write"), READER: ("ada", "read")}


@dataclass
class Commit:
    oid: str
    title: str
    files: dict[str, bytes]


@dataclass
class Repo:
    kind: str
    name: str
    is_private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    """Branch -> title of its pull request."""

    def add(self, branch: str, title: str, files: dict[str, bytes]) -> str:
        text = f"{self.name}{len(self.commits)}{title}"
        oid = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.commits[oid] = Commit(oid, title, files)
        self.refs[branch] = oid
        return oid

    def at(self, revision: str) -> Commit | None:
        return self.commits.get(self.refs.get(revision, revision))

    def files(self, revision: str = "main") -> dict[str, bytes]:
        found = self.at(revision)
        return dict(found.files) if found else {}

    @property
    def num_commits(self) -> int:
        """Without the one that made it."""
        return len(self.commits) - 1


@dataclass
class Fault:
    method: str
    pattern: str
    times: int
    status: int = 0
    then: str = ""
    """`drop`: the connection is reset; `hang`: nothing is answered, ever; `cut`: half of the body is sent; `garble`: other bytes are;
    `race`: somebody else commits first."""
    headers: dict[str, str] = field(default_factory=dict)
    is_done: bool = False
    """What was asked is done before it goes wrong."""


class LocalHub:
    """Starts with the context and ends with it."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lfs: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        """`METHOD /path` of every request, in order."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.lock = threading.Lock()
        self.is_closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()

    def repo(self, name: str, kind: str = "model") -> Repo:
        return self.repos[kind, name]

    def make(self, name: str, kind: str = "model", *, is_private: bool = True) -> Repo:
        repo = self.repos[kind, name] = Repo(kind, name, is_private)
        repo.add("main", "initial commit", {".gitattributes": b"*.safetensors filter=lfs\n"})
        return repo

    def fail(self, method: str, pattern: str, *, times: int = 1, **how: Any) -> None:
        self.faults.append(Fault(method, pattern, times, **how))

    def fault_for(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == method and re.search(fault.pattern, path):
                fault.times -= 1
                return fault
        return None


def _handler(hub: LocalHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = self._chunks()
            hub.asked.append(f"{self.command} {self.path}")
            fault = hub.fault_for(self.command, self.path)
            status, headers, content = 200, dict[str, str](), b""
            if fault is not None and fault.then == "race":
                for repo in hub.repos.values():
                    repo.add("main", "somebody else's", repo.files() | {"NOTES.md": b"mine\n"})
            if fault is None or fault.is_done or fault.then in ("cut", "garble", "race"):
                with hub.lock:
                    status, headers, content = self._answer(body)
            if fault is not None and fault.status:
                status, headers, content = fault.status, fault.headers, b'{"error": "as told"}'
            if fault is not None and fault.then == "hang":
                hub.is_closing.wait()
                self.close_connection = True
                return
            if fault is not None and fault.then == "drop":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                if fault is not None and fault.then == "garble":
                    content = bytes(byte ^ 1 for byte in content)
                if fault is not None and fault.then == "cut":
                    content, self.close_connection = content[: len(content) // 2], True
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_HEAD = _serve

        def _chunks(self) -> bytes:
            found = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def _answer(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            try:
                found = answer(hub, self.command, self.path, self._user(), body)
            except Refused as refused:
                headers = {"X-Error-Message": refused.message, "Content-Type": "application/json"}
                if refused.code:
                    headers["X-Error-Code"] = refused.code
                return (
                    refused.status,
                    headers,
                    json.dumps({"error": refused.message} | refused.more).encode(),
                )
            if isinstance(found, tuple):
                return 200, found[0], found[1]
            return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

        def _user(self) -> tuple[str, str] | None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if not token:
                return None
            if token not in TOKENS:
                raise Refused(401, "Invalid credentials in Authorization header")
            return TOKENS[token]

    return Handler
