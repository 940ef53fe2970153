import io

import pytest
from conftest import jsonl, make_rows

from understudy_trainer.errors import RefusedError
from understudy_trainer.rows import check_file

GOOD = jsonl(make_rows(1, 1)).strip()
CANARY = "zanzibar"


def problem(*lines: bytes) -> str:
    with pytest.raises(RefusedError) as refused:
        check_file(io.BytesIO(b"\n".join(lines)), 1 << 20)
    assert CANARY not in refused.value.message
    return refused.value.message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"\xff\xfe\x00nonsense", "not UTF-8"),
        (b'{"messages": [zanzibar', "not valid JSON (column 15)"),
        (b'["zanzibar"]', "must be a JSON object"),
        (b'{"text": "zanzibar"}', "non-empty list 'messages'"),
        (b'{"messages": []}', "non-empty list 'messages'"),
        (b'{"messages": ["zanzibar"]}', "messages[0] must be an object"),
        (b'{"messages": [{"role": "zanzibar", "content": ""}]}', "messages[0].role must be one of"),
        (b'{"messages": [{"role": "user", "content": ["zanzibar"]}]}', "messages[0].content must be a string"),
        (b'{"messages": [{"role": "user", "content": "zanzibar"}]}', "the last message must be the assistant's"),
        (b'{"messages": [{"role": "assistant", "content": "zanzibar"}]}', "needs a message before"),
        (
            b'{"messages": [{"role": "user", "content": "zanzibar"}, {"role": "assistant", "content": " "}]}',
            "the assistant's answer is empty",
        ),
        (b'{"messages": [{"role": "user", "content": "zanzibar \\ud800"}]}', "half of a surrogate pair"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_wrong_line_is_named_by_its_number_and_never_quoted(line, says):
    message = problem(GOOD, line, GOOD)
    assert message.startswith("line 2: ")
    assert says in message


def test_every_wrong_line_is_named_up_to_ten():
    message = problem(GOOD, b"x", GOOD, b"y")
    assert message == "line 2: not valid JSON (column 1); line 4: not valid JSON (column 1)"
    assert problem(*[b"x"] * 50).endswith("line 10: not valid JSON (column 1); further lines were not checked")


def test_an_empty_file_and_one_that_is_too_large_are_refused():
    assert "holds no rows" in problem(b"", b"  ")
    with pytest.raises(RefusedError, match="larger than 100 bytes"):
        check_file(io.BytesIO(GOOD * 2), 100)


def test_a_good_file_is_counted_hashed_and_handed_on_byte_by_byte():
    import hashlib

    content, kept = GOOD + b"\r\n\n" + GOOD, io.BytesIO()
    facts = check_file(io.BytesIO(content), 1 << 20, kept.write)
    assert (facts.rows, facts.bytes, facts.sha256) == (2, len(content), hashlib.sha256(content).hexdigest())
    assert kept.getvalue() == content
