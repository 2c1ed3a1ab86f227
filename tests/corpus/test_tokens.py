import gzip
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from clinicorpus_errors import UserError
from corpus import tokens
from corpus.tokens import load_counter, tokenizer_file


def test_counts_are_those_of_the_model() -> None:
    # "BP", " ", "1", "2", "0", "/", "8", "0", " on": every digit is a token of its own.
    assert load_counter().count(["BP 120/80 on", "", "hello", "\n\n1"]) == [9, 0, 1, 2]


def test_counts_do_not_depend_on_what_stands_beside() -> None:
    texts = [f"note {i} " * (i % 7) for i in range(3 * tokens.TEXTS_AT_A_TIME // 2)]
    counter = load_counter("smollm2")
    assert counter.count(texts) == [counter.count([text])[0] for text in texts]


def test_a_file_and_its_folder_count_alike(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(gzip.decompress(tokenizer_file().read_bytes()))
    texts = ["Chest pain for 3 days.", "café"]
    assert load_counter(tmp_path).count(texts) == load_counter(str(file)).count(texts) == load_counter().count(texts)


def test_truncation_and_padding_of_a_model_do_not_touch_the_count(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_str(gzip.decompress(tokenizer_file().read_bytes()).decode())
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert load_counter(tmp_path).count(["hello", "BP 120/80 on"]) == [1, 9]


@pytest.mark.parametrize("content", [None, "{}", "\x00"])
def test_a_folder_without_a_usable_tokenizer_is_told(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError) as told:
        load_counter(tmp_path)
    assert told.value.next
    assert told.value.cause


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(UserError, match="no tokenizer here"):
        load_counter("smollm3")
