"""How long the Hub is waited for, and what is asked again."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from huggingface_hub import set_client_factory
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils._http import default_client_factory

from ddl_train.errors import HubError
from ddl_train.hub.failures import BUSY, FAILURES, TIMEOUT, TRANSPORT, cause_of, explained

NUM_TRIES = 4
MAX_WAIT_S = 120.0
"""A Hub that asks for more than this is not waited for."""
TIMEOUT_S = 30.0
"""Without a byte for so long, an answer is given up. The client by itself waits for ever; for
downloads it has a limit of its own, HF_HUB_DOWNLOAD_TIMEOUT."""

T = TypeVar("T")


def limit_waiting() -> None:
    """Give every request of the client a time limit."""
    set_client_factory(_client)


def patiently(what: str, ask: Callable[[], T]) -> T:
    """Ask something that may be asked twice, a few times where the Hub is busy.

    Raises:
        HubError: it was refused; says `what`.
        HubUnreachableError: the Hub does not answer, or stays busy.
    """
    for turn in range(NUM_TRIES):
        try:
            return ask()
        except HubError:
            raise
        except FAILURES as error:
            wait = wait_after(error, turn)
            if wait is None:
                raise explained(what, error) from None
        time.sleep(wait)
    raise AssertionError("the last turn returns or raises")


def wait_after(error: BaseException, turn: int) -> float | None:
    """Seconds after which the same may be tried again; None when that is of no use."""
    if turn == NUM_TRIES - 1:
        return None
    cause = cause_of(error)
    if isinstance(cause, HfHubHTTPError):
        if cause.response.status_code not in BUSY:
            return None
        asked = cause.response.headers.get("Retry-After", "")
        wait = float(asked) if asked.isdigit() else float(2**turn)
        return wait if wait <= MAX_WAIT_S else None
    if isinstance(cause, TRANSPORT) and not isinstance(cause, OfflineModeIsEnabled | TIMEOUT):
        return 2.0**turn
    return None


def _client() -> Any:
    client = default_client_factory()
    client.event_hooks["request"].append(_limit)
    return client


def _limit(request: Any) -> None:
    """Some calls of the client say `timeout=None` themselves, which a default cannot undo."""
    limits = request.extensions.get("timeout", {})
    parts = ("connect", "read", "write", "pool")
    request.extensions["timeout"] = {part: limits.get(part) or TIMEOUT_S for part in parts}
