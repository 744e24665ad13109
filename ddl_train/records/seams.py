"""What a stage is handed, as Protocols: the seams between the folders."""

from collections.abc import Sequence
from typing import Any, Protocol

from ddl_train.records.memory import ConceptPair
from ddl_train.records.model import (
    Completion,
    Continuation,
    FloatArray,
    Likelihood,
    Sampling,
    TextLoss,
    Usage,
)
from ddl_train.records.wake import Proposal, Scores


class TextModel(Protocol):
    """A model that can be asked, here or on a server. Prompts are user messages."""

    name: str

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        """Complete each prompt, in order. Same seed, prompts and batch size: same texts on CPU."""
        ...

    def integer_distribution(
        self, prompts: Sequence[str], *, low: int, high: int, adapter: str
    ) -> tuple[FloatArray, Usage]:
        """Probability of each integer low..high as the whole answer, [n, high-low+1].

        Rows sum to 1 over these; exact where an integer is two tokens. A row of NaN: no usable
        numbers.
        """
        ...


class ScoringModel(TextModel, Protocol):
    """A model that says of a given text how likely it is."""

    def loglikelihood(
        self, items: Sequence[Continuation], *, adapter: str
    ) -> tuple[list[Likelihood], Usage]:
        """Score each continuation, in order; EOS after the continuation is not counted."""
        ...


class Engine(ScoringModel, Protocol):
    """A model that runs here. The chat format is the engine's."""

    def hidden_states(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Mean-pooled last hidden states of the base: [n, width], not normalised."""
        ...

    def text_loss(self, texts: Sequence[str], *, adapter: str) -> tuple[list[TextLoss], Usage]:
        """Loss of plain texts, without the chat format, and their divergence from the base."""
        ...


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    name: str
    """Identifies the embedding space; a change means that stored vectors are of no use."""

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Unit rows [n, width]."""
        ...


class Space(Protocol):
    """Where memory compares vectors."""

    def centre(self, vectors: FloatArray) -> FloatArray:
        """An embedder's vectors as unit vectors of this space."""
        ...


class VectorSpace(Space, Protocol):
    """The same, and what memory holds there."""

    def nearest(self, vectors: FloatArray, k: int) -> tuple[Any, FloatArray]:
        """Ids and cosines of the k nearest concepts to an embedder's vectors."""
        ...

    def vectors(self, ids: Sequence[int]) -> FloatArray:
        """Unit vectors of concepts, in the order of `ids`."""
        ...


class Generator(Protocol):
    def propose(
        self, pairs: Sequence[ConceptPair], *, adapter: str, seed: int
    ) -> tuple[list[Proposal], Usage]:
        """One proposal for each pair, in order."""
        ...


class Critic(Protocol):
    def screen(self, proposals: Sequence[Proposal]) -> tuple[list[float | None], Usage]:
        """One number for each, in order, for less than a whole verdict. None: it has none."""
        ...

    def score(
        self,
        proposals: Sequence[Proposal],
        *,
        screened: Sequence[float | None] | None = None,
    ) -> tuple[list[Scores | None], Usage]:
        """Score each proposal, in order. None: the verdict could not be read.

        `screened` is what `screen` said of these very proposals; it need not be asked again.
        """
        ...

    def explain(self, proposals: Sequence[Proposal]) -> tuple[list[str], Usage]:
        """One sentence for each, in order. Asked only for what is admitted."""
        ...


class Prompts(Protocol):
    """The templates in which a language model is asked; `roles.prompts` loads them."""

    @property
    def none(self) -> str:
        """What a generator answers when there is no link."""
        ...

    def render(self, template: str, **variables: Any) -> str:
        """The user message of one template (`answer`, `propose`, ...)."""
        ...
