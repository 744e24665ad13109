"""Answers of one question under several adapters, side by side."""

from pathlib import Path

from ddl_train.cli.environment import go_offline_if_local


def answers(
    run_dir: Path, question: str, adapters: list[str], max_new_tokens: int
) -> dict[str, str]:
    """Name of each adapter as asked for, with its version, -> its answer.

    Raises:
        AdapterError: the run has no such adapter, or it does not fit the base.
    """
    from ddl_train.storage.run import Run

    with Run.read(run_dir) as run:
        go_offline_if_local(run.config)
        from ddl_train.engines.transformers_engine import load_engine
        from ddl_train.records import BASE, Sampling
        from ddl_train.roles.prompts import load_pack

        versions = {
            name: run.current if name == "current" else name for name in dict.fromkeys(adapters)
        }
        loaded = [run.adapter(version) for version in versions.values() if version != BASE]
        engine = load_engine(run.config.model)
        prompt = load_pack(str(run.prompts_dir)).render("answer", question=question, context=[])
        for adapter in loaded:
            engine.load_adapter(adapter.version, adapter.path, base_sha256=adapter.base_sha256)
        found = {}
        for name, version in versions.items():
            title = name if name == version else f"{name} ({version})"
            completions, _ = engine.generate(
                [prompt],
                sampling=Sampling(max_new_tokens=max_new_tokens),
                adapter=version,
                seed=run.config.seed,
            )
            found[title] = completions[0].text
    return found
