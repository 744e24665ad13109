"""What a run is told: one pydantic model per stage, read from YAML, unknown keys fatal.

    model, memory, wake, sleep, evaluate, promote, distill    one file per section of a config
    sampler, operators, schedules, stopping                   parts of `wake`, as it dreams
    guards, cascade, server, workers                          and as it judges
    whole                                                     all of them: `Config`
    parsing, explaining                                       YAML and overrides in, sentences out

A stage receives its own part (`config.wake`), never the whole. Nothing here imports torch.
"""

from ddl_train.config.cascade import CascadeConfig, DistanceConfig, ScreenConfig, SecondConfig
from ddl_train.config.distill import DistillConfig
from ddl_train.config.evaluate import EvaluateConfig
from ddl_train.config.guards import GuardConfig
from ddl_train.config.memory import MemoryConfig
from ddl_train.config.model import ModelConfig
from ddl_train.config.operators import CONNECT, OperatorBudgetConfig, VerbalisedConfig
from ddl_train.config.parsing import (
    dump_yaml,
    json_schema,
    load_config,
    override_section,
    parse_config,
)
from ddl_train.config.promote import Bounds, PromoteConfig
from ddl_train.config.sampler import SamplerConfig
from ddl_train.config.schedules import Moment, ScheduleConfig
from ddl_train.config.server import CriticServerConfig, GeneratorServerConfig, ServerConfig
from ddl_train.config.sleep import SleepConfig
from ddl_train.config.stage import StageConfig
from ddl_train.config.stopping import StoppingConfig
from ddl_train.config.vllm import VllmConfig
from ddl_train.config.wake import WakeConfig
from ddl_train.config.whole import Config, changed_keys, flatten, is_changeable
from ddl_train.config.workers import WorkersConfig

__all__ = [
    "CONNECT",
    "Bounds",
    "CascadeConfig",
    "Config",
    "CriticServerConfig",
    "DistanceConfig",
    "DistillConfig",
    "EvaluateConfig",
    "GeneratorServerConfig",
    "GuardConfig",
    "MemoryConfig",
    "ModelConfig",
    "Moment",
    "OperatorBudgetConfig",
    "PromoteConfig",
    "SamplerConfig",
    "ScheduleConfig",
    "ScreenConfig",
    "SecondConfig",
    "ServerConfig",
    "SleepConfig",
    "StageConfig",
    "StoppingConfig",
    "VerbalisedConfig",
    "VllmConfig",
    "WakeConfig",
    "WorkersConfig",
    "changed_keys",
    "dump_yaml",
    "flatten",
    "is_changeable",
    "json_schema",
    "load_config",
    "override_section",
    "parse_config",
]
