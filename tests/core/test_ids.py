from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core import ids

# Free text with what an encoding of several parts could trip over.
texts = st.text(st.sampled_from("a1 :\x1f\n\0é"), max_size=6)
campaigns = st.text(st.sampled_from("a1-"), min_size=1, max_size=4)
causes = st.tuples(
    campaigns,
    texts,
    st.sampled_from(["", '"a"', '"1 a"', "1", "1.5", "true"]),
    st.integers(0, 20),
    st.integers(0, 20),
)


@given(causes, causes)
def test_two_enrollments_have_one_id_only_where_they_have_one_cause(
    one: tuple[str, str, str, int, int], other: tuple[str, str, str, int, int]
) -> None:
    assert (ids.enrollment_id(*one) == ids.enrollment_id(*other)) == (one == other)


messages = st.tuples(
    st.sampled_from(["e1", "e2"]), texts, st.integers(0, 20), st.sampled_from(["email", "push"])
)


@given(messages, messages)
def test_two_messages_have_one_id_only_where_they_have_one_cause(
    one: tuple[str, str, int, str], other: tuple[str, str, int, str]
) -> None:
    assert (ids.effect_id(*one) == ids.effect_id(*other)) == (one == other)


@given(causes)
def test_an_id_is_32_hexadecimal_digits(cause: tuple[str, str, str, int, int]) -> None:
    made = ids.enrollment_id(*cause)
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")
