"""The parts of a publish by themselves: scan, quotations, licences, folder, comparison, sentences."""

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ddl_train.errors import HubError
from ddl_train.hub.dataset import insight_row
from ddl_train.hub.failures import clean
from ddl_train.hub.folder import ADAPTER, close_folder, new_folder, put
from ddl_train.hub.licences import settle_licences
from ddl_train.hub.quotes import find_quotes
from ddl_train.hub.remote import Remote, RemoteFile, compare, git_sha1
from ddl_train.hub.scan import scan
from ddl_train.report.evidence import without_folders
from tests.fakes import a_concept, a_scores, an_insight

LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("hf_" + LETTERS, "Hugging Face token"),
        ("h\u200bf_" + LETTERS, "Hugging Face token"),  # hidden by an invisible character
        ("ghp_" + LETTERS + "abcdef", "GitHub token"),
        ("glpat-" + LETTERS, "GitLab token"),
        ("sk-ant-" + LETTERS, "API key"),
        ("AKIA" + "ABCDEFGHIJ123456", "AWS key"),
        ("xoxb-" + "1234567890-abc", "Slack token"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "JSON web token"),
        ("-----BEGIN RSA PRIVATE KEY-----", "private key"),
        ("https://jane:geheim@host.org/x", "password in a URL"),
        ("password = hunter2hunter", "password"),
        ("mail ada@lovelace.org", "e-mail address"),
        ("DE89 3704 0044 0532 0130 00", "IBAN"),
        ("4111 1111 1111 1111", "card number"),
        ("+49 30 901820", "telephone number"),
        ("tel. 030 / 90 18 20", "telephone number"),
        ("/home/jane/notes.md", "home folder"),
        ("C:\\Users\\jane\\notes.md", "home folder"),
    ],
)
def test_a_secret_is_found_and_not_quoted(text: str, what: str) -> None:
    found = scan("a.md", f"first line\nsome words {text} and more")
    assert what in [one.what for one in found]
    assert all(one.where == "a.md:2" for one in found)
    assert all(text not in str(one) for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "zorol lowers vakase, and high vakase causes miritis",
        "the secret of bees: they dance",
        "password: forgotten",
        "in 1998, 12,500 of 13,000 (96.2 %) were kept; p = 0.0123",
        "write to someone@example.com",
        hashlib.sha256(b"x").hexdigest(),
        "DE89 3704 0044 0532 0130 01",  # the checksum is wrong
        "1234 5678 9012 3456",  # so is this one
        '{"low": 0.4677418231964111, "items": 1234567890123}',
        "token loss, task-adaptive-pretraining-of-language-models",
        "蜜蜂的蜂巢是六边形的。",
    ],
)
def test_ordinary_text_is_let_through(text: str) -> None:
    assert scan("a.md", text) == []


def test_the_same_secret_has_the_same_name_wherever_it_stands() -> None:
    one, two = (scan(name, "ada@lovelace.org") for name in ("a.md", "b.md"))
    assert one[0].finding_id == two[0].finding_id


WORDS = "bees build cells of wax in hexagons since wax is dear to them"  # 13 words


@pytest.mark.parametrize(
    ("text", "source", "is_quote"),
    [
        (WORDS, WORDS, True),
        (f"He said: {WORDS.upper()}!", WORDS.replace(" ", ", "), True),  # case, punctuation
        (" ".join(WORDS.split()[:11]), WORDS, False),
        (WORDS.replace("wax in", "stuff in"), WORDS, False),
        ("internationalisation " * 3, "internationalisation " * 3, True),  # 60 letters
        ("蜜蜂的蜂巢是六边形的睡眠中大脑会整理记忆而潮汐随月", "蜜蜂的蜂巢是六边形的睡眠中大脑会整理记忆而潮汐随月", True),
        ("蜜蜂的蜂巢是六边形的", "蜜蜂的蜂巢是六边形的。睡眠中大脑会整理记忆。", False),
    ],
)  # fmt: skip
def test_a_quotation_is_twelve_words_sixty_letters_or_two_dozen_ideographs(
    text: str, source: str, is_quote: bool
) -> None:
    found = find_quotes({"insight 1": text}, [("a.md", source)])
    assert bool(found) is is_quote


def test_the_longest_quotation_of_each_source_is_told() -> None:
    found = find_quotes({"i": f"{WORDS} and so"}, [("a.md", WORDS), ("b.md", WORDS + " and so")])
    assert [(one.source, one.num_units) for one in found] == [("b.md", 15), ("a.md", 13)]


def test_what_is_typed_goes_before_the_config() -> None:
    found = settle_licences("mit", "mit", ["base=apache-2.0", "cc-by-4.0"])
    assert (found.own, found.base, found.sources) == ("cc-by-4.0", "apache-2.0", "mit")


def test_one_licence_for_all_may_be_typed_once() -> None:
    found = settle_licences(None, None, ["mit"])
    assert (found.own, found.base, found.sources) == ("mit", "mit", "mit")


@pytest.mark.parametrize("name", ["adapter_model.bin", "notes.txt", "evals/../x.json", ".env"])
def test_a_file_that_is_not_on_the_list_is_not_published(tmp_path: Path, name: str) -> None:
    folder = new_folder(tmp_path)
    put(folder, name.replace("..", "up"), "x")
    with pytest.raises(HubError, match="not on the list"):
        close_folder(folder, ADAPTER)


def test_a_link_is_not_published(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    (tmp_path / "secret").write_text("x")
    (folder / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(HubError, match="not on the list"):
        close_folder(folder, ADAPTER)


def test_too_large_a_folder_is_refused(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    with (folder / "adapter_model.safetensors").open("wb") as file:
        file.truncate(ADAPTER.max_bytes + 1)  # sparse: it takes no room on the disk
    with pytest.raises(HubError, match="at most 4 GiB"):
        close_folder(folder, ADAPTER)


def test_a_row_of_the_dataset_has_each_score_in_its_own_column() -> None:
    scores = a_scores(9, 8, 7, support=0.5, rederived=0.75)
    concepts = {1: a_concept(1), 2: a_concept(2)}
    row = insight_row(replace(an_insight(parents=(1, 2)), scores=scores), concepts)
    names = ("novelty", "coherence", "utility", "support", "rederived")
    assert [row[name] for name in names] == [9, 8, 7, 0.5, 0.75]


def test_git_gives_a_file_the_same_name(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("some words\n")
    named = subprocess.run(["git", "hash-object", file], capture_output=True, text=True, check=True)
    assert git_sha1(file) == named.stdout.strip()


def test_only_what_was_published_before_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("new")
    there = RemoteFile(num_bytes=3, git_sha1="0" * 40, sha256=None)
    remote = Remote(
        commit="c",
        is_private=True,
        files=dict.fromkeys(["README.md", "old.json", "hers.md"], there),
    )
    changes = compare({"README.md": file}, remote, published=["README.md", "old.json", "gone.json"])
    assert [(one.path, one.state) for one in changes] == [
        ("README.md", "changed"),
        ("old.json", "removed"),
    ]


def test_no_sentence_holds_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "an-odd-token")
    said = clean(f"refused an-odd-token, hf_{LETTERS} and Bearer abc123")
    assert said == "refused [token], [token] and [token]"


def test_sentences_lose_their_folders() -> None:
    text = "/home/jane/notes/kept.md holds no text; 0.5 nats/token"
    plain = without_folders(text, ["/home/jane/notes", "/home/jane/notes/kept.md"])
    assert plain == "kept.md holds no text; 0.5 nats/token"
