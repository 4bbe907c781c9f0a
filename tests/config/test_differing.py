from __future__ import annotations

from config.differing import campaigns_of, differing_files


def test_files_that_say_the_same_in_another_way_do_not_differ() -> None:
    before = {"hairspring.toml": "[shop]\nname = 'A'\n", "campaigns/a.yaml": "campaign: a\nx: [1]"}
    now = {"hairspring.toml": 'shop = {name = "A"}', "campaigns/a.yaml": "{campaign: a, x: [1]}"}
    assert differing_files(before, now).changed == []


def test_files_are_told_as_added_removed_or_changed() -> None:
    found = differing_files({"a.liquid": "1", "b.liquid": "1"}, {"b.liquid": "2", "c.liquid": "1"})
    assert (found.added, found.removed, found.changed) == (["c.liquid"], ["a.liquid"], ["b.liquid"])


def test_a_file_that_cannot_be_read_any_more_is_compared_letter_by_letter() -> None:
    assert differing_files({"s.yaml": "a: [1"}, {"s.yaml": "a: [1 "}).changed == ["s.yaml"]


def test_campaigns_are_found_by_their_ids_whatever_their_files_are_called() -> None:
    files = {"campaigns/x.yaml": "campaign: a", "segments.yaml": "campaign: b"}
    assert campaigns_of(files) == {"a": {"campaign": "a"}}
