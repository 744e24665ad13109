"""What a repository holds after a publish, and that PEFT loads it."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, snapshot_download
from peft import PeftModel
from transformers import AutoModelForCausalLM

from ddl_train.storage.run import Run
from tests.cli.calling import CommandLine
from tests.hub.server import WRITER, LocalHub

NAME = "ada/dreams"
ASKED = ("--repo-id", NAME, "--base-id", "someone/tiny@" + "a" * 40)


def test_a_first_publish_is_one_commit_in_a_private_repository(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, called.err) == (0, "")
    assert hub.repo(NAME).num_commits == 1
    assert hub.repo(NAME).is_private
