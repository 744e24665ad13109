"""What is trained is the answer and its end; what is read is what inference reads."""

from ddl_train.engines.chat import ChatFormat
from ddl_train.records import TrainingRow
from ddl_train.training.encoding import IGNORED, encode_rows
from tests.tiny import make_tokenizer


def test_only_the_completion_and_eos_are_trained() -> None:
    chat = ChatFormat(make_tokenizer())
    row = TrainingRow(prompt="why?", completion="so it is", origin="new")
    encoded = encode_rows([row], chat, max_length=100)
    prompt, answer = chat.prompt_ids("why?"), chat.completion_ids("so it is")
    assert list(encoded.input_ids[0]) == prompt + answer
    assert list(encoded.labels[0]) == [IGNORED] * len(prompt) + answer
    assert encoded.input_ids[0][-1] in chat.eos_token_ids
    assert encoded.num_trained_tokens == len(answer)


def test_bare_text_is_trained_whole_and_without_the_chat_format() -> None:
    chat = ChatFormat(make_tokenizer())
    row = TrainingRow(prompt="", completion="bees sleep", origin="general")
    encoded = encode_rows([row], chat, max_length=100)
    assert encoded.input_ids == encoded.labels
    assert encoded.input_ids[0][0] == chat.bos_token_id
    assert list(encoded.input_ids[0][1:]) == chat.completion_ids("bees sleep")


def test_rows_over_the_limit_are_left_out_whole() -> None:
    chat = ChatFormat(make_tokenizer())
    short = TrainingRow(prompt="why?", completion="so", origin="new")
    long = TrainingRow(prompt="why?" * 50, completion="so", origin="new")
    encoded = encode_rows([long, short], chat, max_length=60)
    assert encoded.num_rows == 1
    assert encoded.num_too_long == 1
