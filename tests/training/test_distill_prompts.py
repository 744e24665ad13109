"""What a student is asked: the shares, again and again, and what it reads of a bare text."""

from pathlib import Path

from ddl_train.config import DistillConfig
from ddl_train.records import StudyItem, TrainingRow
from ddl_train.roles.prompts import BUILT_IN, load_pack
from ddl_train.training.distill_prompts import draw_prompts, encode_prompts
from tests.fakes import a_pair
from tests.training.nights import tiny_engine

PACK = load_pack(str(BUILT_IN / "default"))
ITEMS = [
    StudyItem(insight_id=n, kind="forward", question=f"what of {n}?", answer="so") for n in range(7)
]
GENERAL = [TrainingRow(prompt="hello", completion="hello you", origin="general")]
TEXT = TrainingRow(prompt="", completion="zorol lowers vakase and more", origin="general")


def config(**changes: object) -> DistillConfig:
    return DistillConfig.model_validate(
        {"num_prompts": 40, "wake_share": 0.25, "general_share": 0.25} | changes
    )


def test_prompts_are_drawn_in_their_shares_and_come_round_again() -> None:
    rows = draw_prompts(
        ITEMS, [a_pair("bees dance", "sleep sorts")], GENERAL, prompts=PACK, config=config(), seed=0
    )
    origins = [row.origin for row in rows]
    assert {name: origins.count(name) for name in set(origins)} == {
        "study": 20,
        "wake": 10,
        "general": 10,
    }
    study = [row.prompt for row in rows if row.origin == "study"]
    assert sorted({study.count(prompt) for prompt in study}) == [2, 3]


def test_an_empty_pool_leaves_its_share_to_study() -> None:
    rows = draw_prompts(ITEMS, [], [], prompts=PACK, config=config(), seed=0)
    assert [row.origin for row in rows] == ["study"] * 40


def test_answers_are_left_for_student_or_teacher_to_write() -> None:
    rows = draw_prompts(
        ITEMS,
        [a_pair("bees dance", "sleep sorts")],
        [*GENERAL, TEXT],
        prompts=PACK,
        config=config(),
        seed=0,
    )
    assert {row.completion for row in rows if row.prompt} == {""}
    assert {row.completion for row in rows if not row.prompt} == {TEXT.completion}


def test_items_that_failed_their_check_are_not_asked() -> None:
    bad = StudyItem(insight_id=9, kind="forward", question="bad?", answer="so", is_checked=False)
    rows = draw_prompts([*ITEMS, bad], [], [], prompts=PACK, config=config(), seed=0)
    assert not any("bad?" in row.prompt for row in rows)


def test_the_draw_depends_on_the_seed_and_not_on_the_order_given() -> None:
    one, turned, other = (
        draw_prompts(items, [], GENERAL, prompts=PACK, config=config(), seed=seed)
        for items, seed in ((ITEMS, 1), (ITEMS[::-1], 1), (ITEMS, 2))
    )
    assert one == turned
    assert one != other


def test_a_student_reads_what_the_engine_will_ask_it_with(tmp_path: Path) -> None:
    chat = tiny_engine(tmp_path / "tiny").chat
    ids, num_too_long = encode_prompts([GENERAL[0], TEXT], chat, max_length=100, batch_size=2)
    text = chat.text_ids(TEXT.completion)
    assert ids[0] == chat.prompt_ids("hello")
    assert ids[1] == [chat.bos_token_id, *text[: round(len(text) / 3)]]
    assert num_too_long == 0


def test_the_last_batch_is_filled_and_what_is_too_long_is_counted(tmp_path: Path) -> None:
    chat = tiny_engine(tmp_path / "tiny").chat
    rows = [TrainingRow(prompt=f"who is {n}?", completion="", origin="study") for n in range(5)]
    rows.append(TrainingRow(prompt="why " * 200, completion="", origin="study"))
    ids, num_too_long = encode_prompts(rows, chat, max_length=60, batch_size=4)
    assert (len(ids), num_too_long) == (8, 1)
    assert ids[5:] == ids[:3]
