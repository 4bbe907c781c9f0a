from __future__ import annotations

import pytest

from bench import curves


@pytest.mark.parametrize("text", curves.QUESTIONS)
def test_each_question_can_be_asked(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "ASKED_FOR_S", 1e-9)
    monkeypatch.setattr(curves, "REPETITIONS", 1)
    assert curves.asked_us(text, 3) > 0
