"""The records that flow through a cycle, in the order they are made.

    memory      Chunk -> Concept -> ConceptPair
    wake        -> Proposal -> Scores -> Verdict -> Insight
    sleep       -> StudyItem -> TrainingRow -> AdapterVersion
    evaluate    -> Probe -> ItemResult -> EvalReport -> Promotion

All are frozen. Each knows where it came from. Stored facts are fields, the rest are properties.
`model` has what goes into an engine and comes out, `seams` the Protocols of what a stage is handed,
`progress` who is told how far a run is.
"""

from ddl_train.records.evaluate import EvalReport, ItemResult, Probe, Promotion
from ddl_train.records.memory import Chunk, Concept, ConceptKind, ConceptPair
from ddl_train.records.model import (
    BASE,
    Completion,
    Continuation,
    FloatArray,
    JsonObject,
    Likelihood,
    Sampling,
    Stopping,
    TextLoss,
    Usage,
)
from ddl_train.records.progress import Progress, SilentProgress, StageProgress
from ddl_train.records.seams import (
    Critic,
    Embedder,
    Engine,
    Generator,
    Prompts,
    ScoringModel,
    Space,
    TextModel,
    VectorSpace,
)
from ddl_train.records.sleep import AdapterVersion, StudyItem, TrainingRow
from ddl_train.records.wake import AXES, LIKELIHOODS, Insight, Proposal, Scores, Verdict

__all__ = [
    "AXES",
    "BASE",
    "LIKELIHOODS",
    "AdapterVersion",
    "Chunk",
    "Completion",
    "Concept",
    "ConceptKind",
    "ConceptPair",
    "Continuation",
    "Critic",
    "Embedder",
    "Engine",
    "EvalReport",
    "FloatArray",
    "Generator",
    "Insight",
    "ItemResult",
    "JsonObject",
    "Likelihood",
    "Probe",
    "Progress",
    "Promotion",
    "Prompts",
    "Proposal",
    "Sampling",
    "Scores",
    "ScoringModel",
    "SilentProgress",
    "Space",
    "StageProgress",
    "Stopping",
    "StudyItem",
    "TextLoss",
    "TextModel",
    "TrainingRow",
    "Usage",
    "VectorSpace",
    "Verdict",
]
