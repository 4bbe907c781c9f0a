from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner

from config import load_folder, read_folder, write_starter
from config.starter import FolderTaken, demo_shop
from engine.cli.check import command as check
from engine.cli.import_history import command as import_history
from engine.cli.init import command as init

if TYPE_CHECKING:
    from pathlib import Path


def test_init_writes_a_shop_that_checks(tmp_path: Path) -> None:
    shop = tmp_path / "new" / "shop"
    made = CliRunner().invoke(init, [str(shop)])
    assert made.exit_code == 0, made.output
    assert "hairspring check" in made.output
    checked = CliRunner().invoke(check, [str(shop)])
    assert checked.exit_code == 0, checked.output
    assert checked.output == "8 campaigns, 14 templates: no faults, no warnings\n"
    assert read_folder(shop) == read_folder(demo_shop())
    assert load_folder(shop, env={}).plan.id == load_folder(demo_shop(), env={}).plan.id


def test_the_data_of_a_new_shop_is_kept_out_of_version_control(tmp_path: Path) -> None:
    written = write_starter(tmp_path / "shop")
    assert tmp_path / "shop/.gitignore" in written
    assert "data/\n" in (tmp_path / "shop/.gitignore").read_text()


def test_init_lists_what_it_wrote_as_json(tmp_path: Path) -> None:
    made = CliRunner().invoke(init, [str(tmp_path / "shop"), "--json"])
    written = msgspec.json.decode(made.output)["written"]
    assert str(tmp_path / "shop/hairspring.toml") in written
    assert all((tmp_path / name).is_file() for name in written)


def test_init_leaves_a_folder_that_holds_something_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FolderTaken, match="is not empty") as caught:
        write_starter(tmp_path)
    assert caught.value.hint
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
    refused = CliRunner().invoke(init, [str(tmp_path)])
    assert isinstance(refused.exception, FolderTaken)


def test_init_tells_why_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderTaken, match="cannot be written"):
        write_starter(tmp_path / "file" / "shop")


def test_check_tells_every_fault_and_warning_and_fails(tmp_path: Path) -> None:
    write_starter(tmp_path / "shop")
    (tmp_path / "shop/hairspring.toml").write_text(
        '[shop]\nnmae = "x"\n[keys]\nwrite = []\n[server]\nport = "[red]x"\n'
    )
    checked = CliRunner().invoke(check, [str(tmp_path / "shop")])
    assert checked.exit_code == 1
    assert checked.output.splitlines() == [
        "hairspring.toml:2: unknown key shop.nmae; did you mean name?",
        "hairspring.toml:6: server.port: the text '[red]x' does not fit here; a port, 0 to 65535",
        (
            "hairspring.toml:4: warning: keys.write is empty: no event can come in; "
            'give one: write = ["env:WRITE_KEY"]'
        ),
        "2 faults, 1 warning: this shop is not loaded",
    ]


def test_check_speaks_json(tmp_path: Path) -> None:
    write_starter(tmp_path / "shop")
    told = msgspec.json.decode(CliRunner().invoke(check, [str(tmp_path / "shop"), "--json"]).output)
    assert told["ok"] is True
    assert told["plan_id"] == load_folder(tmp_path / "shop", env={}).plan.id
    assert told["campaigns"] == list(load_folder(tmp_path / "shop", env={}).plan.campaigns)
    assert told["campaigns"][0] == "order-receipt"  # the highest priority
    (tmp_path / "shop/hairspring.toml").write_text("[sho]\n")
    bad = CliRunner().invoke(check, [str(tmp_path / "shop"), "--json"])
    told = msgspec.json.decode(bad.output)
    assert bad.exit_code == 1
    assert told["ok"] is False
    assert told["faults"] == [
        {
            "path": "hairspring.toml",
            "line": 1,
            "message": "unknown section or key sho",
            "hint": "did you mean shop?",
        }
    ]


def test_check_says_in_json_in_which_column_of_a_condition_a_fault_lies(tmp_path: Path) -> None:
    (tmp_path / "campaigns").mkdir()
    text = "campaign: a\nenter: {event: Go, when: 'cnt(\"A\") > 3 || usr.x'}\nsteps: [{wait: 1h}]\n"
    (tmp_path / "campaigns/a.yaml").write_text(text)
    told = CliRunner().invoke(check, [str(tmp_path), "--json"])
    faults = msgspec.json.decode(told.output)["faults"]
    assert [(one["line"], one["column"]) for one in faults] == [(2, 27), (2, 43)]


def test_check_looks_up_secrets_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "hairspring.toml").write_text('[keys]\nadmin = "env:SHOP_ADMIN_KEY"\n')
    runner = CliRunner()
    assert runner.invoke(check, [str(tmp_path)], env={"SHOP_ADMIN_KEY": None}).exit_code == 1
    assert runner.invoke(check, [str(tmp_path)], env={"SHOP_ADMIN_KEY": "x"}).exit_code == 0


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert CliRunner().invoke(check, [str(tmp_path / "nowhere")]).exit_code == 2
    assert CliRunner().invoke(check, []).exit_code == 2
    assert CliRunner().invoke(init, []).exit_code == 2


@pytest.mark.parametrize("command", [check, init])
def test_help_has_an_example(command: object) -> None:
    told = CliRunner().invoke(command, ["--help"])  # type: ignore[arg-type]
    assert told.exit_code == 0
    assert "Example:\n    hairspring " in told.output


def test_check_says_what_each_status_does(tmp_path: Path) -> None:
    (tmp_path / "campaigns").mkdir()
    campaign = "campaign: a\nstatus: paused\nenter: {event: Go}\nsteps: [{wait: 1h, id: w}]"
    (tmp_path / "campaigns/a.yaml").write_text(campaign)
    told = CliRunner().invoke(check, [str(tmp_path)]).output
    assert "paused: a (nobody comes in, and who is inside stands still)\n" in told
    said = msgspec.json.decode(CliRunner().invoke(check, [str(tmp_path), "--json"]).output)
    assert said["statuses"] == {"a": "paused"}


BACKFILL = """campaign: viewers
enter:
  when: count("Product Viewed") >= 2
  backfill: true
steps: [{send: in_app, template: welcome, id: hello}]
"""


def test_check_tells_how_many_a_backfill_would_bring_in(tmp_path: Path) -> None:
    shop, events = tmp_path / "shop", tmp_path / "events.ndjson"
    write_starter(shop)
    users = ("ada", "ada", "bob", "cyn", "cyn", "cyn")
    at = "2026-01-01T00:00:00Z"
    lines = [{"user_id": one, "event": "Product Viewed", "timestamp": at} for one in users]
    events.write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines))
    (shop / "campaigns/viewers.yaml").write_text(BACKFILL)
    assert "come in" not in CliRunner().invoke(check, [str(shop)]).output  # nobody is known
    (shop / "campaigns/viewers.yaml").unlink()
    data = ["--data", str(shop / "data")]
    done = CliRunner().invoke(import_history, [str(shop), *data, "--events", str(events)])
    assert done.exit_code == 0, done.output
    (shop / "campaigns/viewers.yaml").write_text(BACKFILL)
    checked = CliRunner().invoke(check, [str(shop)])
    assert checked.exit_code == 0, checked.output
    told = "viewers: 2 come in at once as it goes live (backfill)\n"
    assert checked.output.endswith(told)
    as_json = CliRunner().invoke(check, [str(shop), *data, "--json"])
    assert msgspec.json.decode(as_json.output)["backfill"] == {"viewers": 2}
    (shop / "campaigns/viewers.yaml").write_text(BACKFILL + "status: draft\n")
    assert "come in at once" not in CliRunner().invoke(check, [str(shop)]).output


def test_a_folder_that_cannot_be_asked_is_no_fault_of_the_shop(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    write_starter(shop)
    (shop / "campaigns/viewers.yaml").write_text(BACKFILL)
    (shop / "data").mkdir()
    (shop / "data/hairspring.db").write_text("no database")
    checked = CliRunner().invoke(check, [str(shop)])
    assert checked.exit_code == 0, checked.output
    assert "viewers: how many come in by its backfill is not known: " in checked.output


def test_a_new_shop_has_the_products_that_its_settings_name(tmp_path: Path) -> None:
    write_starter(tmp_path / "shop")
    file = load_folder(tmp_path / "shop", env={}).settings.catalog.file
    products = msgspec.json.decode((tmp_path / "shop" / file).read_bytes())
    assert {one["title"] for one in products} >= {"Stoneware mug", "Wool throw"}
