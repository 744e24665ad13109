"""What a user can get wrong, as exceptions. One sentence each: got, expected, where, what to do.

The command line turns every `DdlTrainError` into that sentence and exit code 2. Anything else
that is raised is our bug and keeps its traceback.
"""


class DdlTrainError(Exception):
    """Base of everything a user can mend."""


class ConfigError(DdlTrainError, ValueError):
    """A config file, key or value cannot be used."""


class SourceError(DdlTrainError, ValueError):
    """A source document cannot be read or holds no text."""


class ModelError(DdlTrainError, ValueError):
    """A model, tokenizer or chat template cannot be used as asked."""


class AdapterError(DdlTrainError, ValueError):
    """An adapter is missing, damaged, or was made for another base."""


class ProbeError(DdlTrainError, ValueError):
    """A probe file is malformed, or overlaps with what the model is trained on."""


class RunError(DdlTrainError, RuntimeError):
    """A run directory is of another run, of a newer version, damaged, or in use."""


class ResourceError(DdlTrainError, RuntimeError):
    """The machine lacks what was asked for: a GPU, memory, disk space, an optional package."""


class ServerError(DdlTrainError, RuntimeError):
    """A model server is down, slow, refuses, or does not answer as it should."""


class WorkerError(DdlTrainError, RuntimeError):
    """A cluster cannot be reached, its workers are lost, or one is not like this machine."""


class HubError(DdlTrainError, RuntimeError):
    """The Hugging Face Hub refuses what was asked, or something may not be published."""


class HubUnreachableError(HubError):
    """The Hugging Face Hub does not answer; what was prepared waits."""


class Interrupted(Exception):
    """The run was asked to stop and has saved what it did; the same command goes on."""
