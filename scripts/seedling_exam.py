"""A quick exam of a seedling while it trains. `ddl-train bench seedling` is the thorough one."""

import random

from ddl_train.bench.critique import auc
from ddl_train.bench.speaker import Speaker, render
from ddl_train.world.home import Home
from ddl_train.world.lessons import Row, context_row, home_row, propose_row, score_row, study_row
from ddl_train.world.scenes import make_scene


def exam_rows(seed: int, each: int) -> dict[str, list[Row]]:
    """A quick exam on scenes that no batch holds (the bench is the thorough one)."""
    rng = random.Random(f"exam/{seed}")
    home = Home()
    exam: dict[str, list[Row]] = {"home": [home_row(rng, home) for _ in range(each)]}
    wanted = {"compose": each, "none": each, "study": each, "context": each, "score": 2 * each}
    while wanted:
        scene = make_scene(rng)
        if not scene.chains:
            continue
        for maker in (propose_row, propose_row, study_row, context_row, score_row):
            row = maker(rng, scene)
            skill = row.skill.partition("_")[0].replace("probe", "study")
            if skill == "score" and row.slots["axis"] != "coherence":
                continue
            if skill in wanted:
                exam.setdefault(skill, []).append(row)
                if len(exam[skill]) == wanted[skill]:
                    del wanted[skill]
    return exam


def measure(speaker: Speaker, exam: dict[str, list[Row]]) -> dict[str, float]:
    table = {}
    for skill, rows in exam.items():
        prompts = [render(row) for row in rows]
        if skill == "score":
            means = speaker.expected_numbers(prompts, range(1, 11))
            right = [mean for mean, row in zip(means, rows, strict=True) if row.truth]
            wrong = [mean for mean, row in zip(means, rows, strict=True) if not row.truth]
            table["critic_auc"] = auc(right, wrong)
            continue
        replies = speaker.reply(prompts)
        hits = [r in (row.completion, *row.right) for r, row in zip(replies, rows, strict=True)]
        table[skill] = sum(hits) / len(hits)
    return {skill: round(value, 4) for skill, value in table.items()}
