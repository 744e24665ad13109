"""When an answer ends: by EOS, by its limit, by what it says, or because it is given up."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ddl_train.engines.chat import ChatFormat
from ddl_train.engines.stopping import why_stop
from ddl_train.records import Sampling


@dataclass(slots=True)
class Written:
    """Ids that a model wrote after one prompt, EOS included."""

    limit: int
    """Tokens it may have."""
    ids: list[int] = field(default_factory=list)
    is_finished: bool = False
    given_up: str | None = None
    log_prob: float = 0.0
    """Of the ids, in nats at temperature 1; kept where an answer may be given up for it."""

    @property
    def is_over(self) -> bool:
        return self.is_finished or self.given_up is not None or len(self.ids) >= self.limit


class Endings:
    """Takes answers on token by token, as far as they go."""

    def __init__(
        self, chat: ChatFormat, sampling: Sampling, eos: Sequence[int], stop: Sequence[str]
    ) -> None:
        self._chat = chat
        self._sampling = sampling
        self._eos = frozenset(eos)
        self._stop = [text for text in stop if text]

    def add(self, answer: Written, token: int, log_prob: float = 0.0) -> None:
        """One more token of an answer that is not over."""
        answer.ids.append(token)
        answer.log_prob += log_prob
        answer.is_finished = (
            token in self._eos or self._says_stop(answer.ids) or self._holds_stop(answer.ids)
        )
        stopping = self._sampling.stopping
        if stopping.is_on and not answer.is_finished:
            answer.given_up = why_stop(answer.ids, answer.log_prob, stopping)

    def _says_stop(self, ids: list[int]) -> bool:
        """Whether an answer has come to start with the word that ends it."""
        word = self._sampling.stop_after
        if not word or len(ids) > 4 * len(word):
            return False
        return self._chat.decode(ids).startswith(word)

    def _holds_stop(self, ids: list[int]) -> bool:
        """Whether one of the texts that end an answer stands at its end."""
        if not self._stop:
            return False
        # a token is a byte at least, and the last ones may be part of a character
        num_bytes = max(len(text.encode()) for text in self._stop) + 4
        tail = self._chat.tokenizer.decode(ids[-num_bytes:])
        return any(text in tail for text in self._stop)
