"""Engines on the nodes of a Ray cluster that dream and judge in wake."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from ddl_train.config.stage import StageConfig


class WorkersConfig(StageConfig):
    """Workers of a Ray cluster, an engine each; this machine hands out, gathers and writes.

    They dream and judge where the local base would. Sleep and evaluation stay here. Each node needs
    the same ddl-train, torch and transformers, and the base at the same path or by its Hub id.
    """

    address: str
    """`ray://HOST:10001` reaches a cluster from outside, by the Ray Client. `auto`, or `HOST:6379`
    of its head, is for a machine that is a node of it. `ray` takes the cluster that runs on this
    machine, and starts one of this machine alone where there is none."""
    num_workers: int | None = Field(None, gt=0)
    """None: one for each GPU of the cluster, or for each node where there is no GPU."""
    num_cpus: float = Field(1, gt=0)
    """Of a node that a worker takes up; Ray gives torch as many threads."""
    num_gpus: float | None = Field(None, ge=0)
    """Of a node that a worker takes up. None: 1 where the cluster has GPUs and `model.device` is not
    cpu, 0 otherwise."""
    chunk_size: int | None = Field(None, gt=0)
    """Prompts that a worker gets at once. None: an even share for each worker, and at most
    `model.batch_size`. So many pairs (`wake.batch_size`) as workers times this keep all busy."""
    start_timeout_s: float = Field(300, gt=0)
    """Longest wait for a first worker with its model loaded; the others join when they are ready."""
    timeout_s: float = Field(900, gt=0)
    """A worker that has been silent for so long shares its prompts with another, and is given up
    after twice that."""
    max_restarts: int = Field(3, ge=0)
    """Workers started in place of lost ones, in all."""

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        host, colon, port = address.removeprefix("ray://").rpartition(":")
        named = address in ("ray", "auto")
        if not named and not (host and "/" not in host and colon and port.isdecimal()):
            raise ValueError("expected ray://HOST:PORT, HOST:PORT, auto or ray")
        return address


def _from_address(value: Any) -> Any:
    return {"address": value} if isinstance(value, str) else value


Workers = Annotated[
    WorkersConfig | None,
    BeforeValidator(_from_address, json_schema_input_type=str | WorkersConfig | None),
]
"""An address alone, or a mapping with more to say."""
