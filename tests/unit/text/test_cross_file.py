"""What of other files is chosen for a hole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.cross_file import MOST_BYTES, CrossFile, choose
from diffusion.text.snippets import WINDOW_LINES, around, similar

FILLER = [b"unrelated_%d = value_%d\n" % (n, n) for n in range(60)]
LIKE = b"def read(path):\n    handle = open(path)\n    rows = parse(handle)\n    return rows\n"
DOCUMENT = b"def write(path):\n    handle = open(path)\n    \n    return rows\n"
CURSOR = DOCUMENT.index(b"    \n") + 4
FAR = b"".join(FILLER[:30]) + LIKE + b"".join(FILLER[30:])


def test_the_likeliest_window_is_found_in_the_likeliest_text() -> None:
    texts = [b"".join(FILLER), FAR]
    found = similar(b"".join(around(DOCUMENT, CURSOR)), texts, 10_000)
    assert found[0].source == 1
    assert b"rows = parse(handle)" in found[0].text
    assert [s.likeness for s in found] == sorted((s.likeness for s in found), reverse=True)


def test_windows_of_one_text_share_no_lines() -> None:
    lines = [b"open path handle rows w%d\n" % n for n in range(3 * WINDOW_LINES)]
    found = similar(b"open path handle rows", [b"".join(lines)], 100_000)
    taken = [line for snippet in found for line in snippet.text.splitlines()]
    assert len(found) > 1
    assert len(taken) == len(set(taken))


def test_typing_on_the_line_changes_nothing() -> None:
    others = CrossFile((b"def parse(handle): ...\n",), (FAR,))
    before = choose(others, (), DOCUMENT, CURSOR)
    typed = DOCUMENT[:CURSOR] + b"rows = parse(" + DOCUMENT[CURSOR:]
    assert before == choose(others, (), typed, CURSOR + 13)
    assert before.voting[0] == b"def parse(handle): ...\n"
    assert any(b"rows = parse(handle)" in text for text in before.voting)


def test_open_documents_vote_and_are_not_quoted_a_second_time() -> None:
    for others in (CrossFile(), CrossFile((), (FAR,))):
        chosen = choose(others, (FAR,), DOCUMENT, CURSOR)
        assert any(b"rows = parse(handle)" in text for text in chosen.voting)
        assert chosen.quoted == ()


def test_lines_of_another_hole_choose_something_else() -> None:
    texts = CrossFile((), (FAR,))
    assert choose(texts, (), DOCUMENT, CURSOR) != choose(texts, (), b"value_3 = \n\nvalue_4\n", 11)


@given(
    st.lists(st.binary(max_size=300), max_size=3),
    st.lists(st.binary(max_size=300), max_size=3),
    st.binary(max_size=100),
    st.data(),
)
def test_any_bytes_fit_the_budget(
    heads: list[bytes], texts: list[bytes], document: bytes, data: st.DataObject
) -> None:
    cursor = data.draw(st.integers(0, len(document)))
    heads = [head * 12 for head in heads]
    chosen = choose(CrossFile(tuple(heads), tuple(texts)), (), document, cursor)
    assert sum(map(len, chosen.voting)) <= MOST_BYTES
    assert set(chosen.quoted) <= set(chosen.voting)
