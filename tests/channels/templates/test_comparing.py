from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from channels.templates.comparing import words_for
from channels.templates.customs import Customs
from channels.templates.sandbox import Sandbox, SandboxTemplate

SANDBOX = Sandbox(autoescape=False, customs=Customs())

BLOCKS = {
    "if": "{{% if variant == '{0}' %}}x{{% endif %}}",
    "turned": "{{% if user.a or '{0}' != variant %}}x{{% endif %}}",
    "elsif": "{{% if user.a %}}{{% elsif variant == '{0}' %}}x{{% endif %}}",
    "case": "{{% case variant %}}{{% when '{0}' %}}x{{% else %}}y{{% endcase %}}",
    "within": "{{% for a in b %}}{{% unless variant == '{0}' %}}x{{% endunless %}}{{% endfor %}}",
    "another": "{{% if user.variant == '{0}' %}}x{{% endif %}}",
    "other": "{{% case event.x %}}{{% when '{0}' %}}x{{% endcase %}}",
}
NONE = {"another", "other"}


@given(blocks=st.lists(st.tuples(st.sampled_from(sorted(BLOCKS)), st.text("abc", max_size=3))))
def test_each_word_is_found_at_its_place(blocks: list[tuple[str, str]]) -> None:
    text = "".join(BLOCKS[kind].format(word) for kind, word in blocks)
    parsed = cast("SandboxTemplate", SANDBOX.from_string(text))
    found = sorted((index, word) for word, index in words_for(parsed, "variant"))
    assert [word for _, word in found] == [word for kind, word in blocks if kind not in NONE]
    assert all(word in text[index : index + len(word) + 1] for index, word in found)
