"""What the client raises -> one sentence on what went wrong and what to do, without a token in it."""

import re
import sys

from huggingface_hub import get_token
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

from ddl_train.errors import HubError, HubUnreachableError

HTTP_ERROR: type[BaseException] = HfHubHTTPError.__bases__[0]
"""Of the client's HTTP library; which library that is differs between versions."""
TIMEOUT: type[BaseException] = sys.modules[HTTP_ERROR.__module__.partition(".")[0]].TimeoutException
TRANSPORT: tuple[type[BaseException], ...] = (HTTP_ERROR, OfflineModeIsEnabled)
FAILURES: tuple[type[BaseException], ...] = (*TRANSPORT, OSError, ValueError, RuntimeError)
"""Whatever the client raises: it wraps refused uploads, and says what is wrong with a card."""
BUSY = (408, 429, 500, 502, 503, 504)
"""Answers after which the same may be asked once more."""
_TOKEN = re.compile(r"\b(?:hf|api_org)_\w{6,}|(?i:bearer)\s+\S+")


def cause_of(error: BaseException) -> BaseException:
    """What the Hub answered, where the client wrapped it."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, TRANSPORT):
        inner = inner.__cause__
    return error if inner is None else inner


def explained(what: str, error: BaseException) -> HubError:
    """The error to raise in place of the client's.

    Args:
        what: that was asked about, a repository or the Hub.
        error: one of `FAILURES`.
    """
    cause = cause_of(error)
    if not isinstance(cause, HfHubHTTPError):
        said = clean(cause)
        if isinstance(cause, TIMEOUT):
            return HubUnreachableError(f"{what}: the Hugging Face Hub does not answer ({said})")
        if isinstance(cause, TRANSPORT):
            return HubUnreachableError(f"{what}: the Hugging Face Hub cannot be reached ({said})")
        return HubError(f"{what}: {said}")
    status = cause.response.status_code
    said = clean(cause.server_message or cause.response.reason_phrase or "no reason given")
    if isinstance(cause, RepositoryNotFoundError) or status == 404:
        return HubError(f"{what}: there is no such user, organisation or repository ({said})")
    if status == 401:
        return HubError(f"{what}: the token is not accepted; log in again with `hf auth login`")
    if status == 403:
        return HubError(f"{what}: the token may not write there ({said})")
    if status in (409, 412):
        return HubError(
            f"{what}: was changed by somebody else meanwhile; nothing was published, look at "
            "`--dry-run` and give the same command again"
        )
    if status == 429:
        asked = cause.response.headers.get("Retry-After")
        when = f"in {asked} s" if asked else "later"
        return HubUnreachableError(f"{what}: too many requests; try again {when}")
    if status in BUSY:
        return HubUnreachableError(f"{what}: the Hugging Face Hub answers {status} ({said})")
    return HubError(f"{what}: the Hugging Face Hub refused, {status} ({said})")


def clean(error: object) -> str:
    """An error's words in one line, without anything that looks like a token."""
    words = " ".join(str(error).split())
    token = get_token()
    if token:
        words = words.replace(token, "[token]")
    return _TOKEN.sub("[token]", words)[:300] or type(error).__name__
