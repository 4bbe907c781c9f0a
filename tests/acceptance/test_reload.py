"""A shop that is edited while the process runs: SIGHUP takes it on, or says what is wrong."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request

import pytest

from tests.acceptance.conftest import run, write

pytestmark = pytest.mark.acceptance


def order(serving, order_id: str) -> None:
    serving.tell(
        {"type": "identify", "user_id": order_id, "traits": {"email": "u1@example.com"}},
        {"user_id": order_id, "event": "Order Completed", "properties": {"order_id": order_id}},
    )


def operating(shop, serving, path: str) -> urllib.request.Request:
    """A request at the admin port, with its key."""
    key = (shop / "data/admin.key").read_text().strip()
    url = f"{serving.admin_url}{path}"
    return urllib.request.Request(url, b"", {"Authorization": f"Bearer {key}"})


def said(serving, event: str) -> dict:
    lines = [json.loads(line) for line in serving.log if line.startswith("{")]
    return [line for line in lines if line["event"] == event][-1]


def test_a_changed_shop_is_taken_on_without_a_restart(shop, serve, mailbox):
    serving = serve(shop)
    order(serving, "A1")
    mailbox.wait_for(lambda: len(mailbox.mails) == 1)
    settings = shop / "hairspring.toml"
    settings.write_text(settings.read_text() + "\n[server]\nport = 1\n")
    receipt = shop / "campaigns/receipt.yaml"
    receipt.write_text(receipt.read_text().replace("template: reminder", "template: later"))
    template = "---\nsubject: changed {{ event.order_id }}\n---\nHow was it?\n"
    write(shop, {"templates/later.email.liquid": template})
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_to_say('"reloaded"')
    reloaded = said(serving, "reloaded")
    assert reloaded["changed"]
    assert reloaded["restart_needed"] == ["server.port"]
    # Who waited goes on in the changed campaign.
    mailbox.wait_for(lambda: "changed A1" in mailbox.ids)
    assert serving.drain() == 0


def test_a_shop_with_faults_is_refused_with_all_of_them_and_the_old_one_stays(shop, serve, mailbox):
    serving = serve(shop)
    write(shop, {"campaigns/bad.yaml": "campaign: Bad One\nsteps: []\n"})
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_to_say("reload.refused")
    faults = said(serving, "reload.refused")["faults"]
    assert len(faults) > 1
    assert all(fault.startswith("campaigns/bad.yaml:") for fault in faults)
    order(serving, "A1")
    mailbox.wait_for(lambda: "receipt A1" in mailbox.ids)
    assert serving.drain() == 0


def test_an_operator_reloads_by_a_request(shop, serve):
    serving = serve(shop)
    request = operating(shop, serving, "/api/reload")
    with urllib.request.urlopen(request) as answer:
        told = json.load(answer)
    assert (told["changed"], told["restart_needed"]) == (False, [])

    write(shop, {"campaigns/bad.yaml": "campaign: Bad One\nsteps: []\n"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 422
    problem = json.load(refused.value)
    refused.value.close()
    assert problem["code"] == "shop.invalid"
    assert problem["errors"][0]["path"] == "campaigns/bad.yaml:1"
    assert serving.drain() == 0


def test_a_reload_needs_the_key(shop, serve):
    serving = serve(shop)
    request = urllib.request.Request(f"{serving.admin_url}/api/reload", b"")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 401
    refused.value.close()


def test_a_change_is_told_before_it_is_taken_on_and_changes_nothing(shop, serve, mailbox):
    receipt = shop / "campaigns/receipt.yaml"
    receipt.write_text(receipt.read_text().replace("wait: 3s", "wait: 3h"))
    serving = serve(shop)
    order(serving, "A1")
    mailbox.wait_for(lambda: len(mailbox.mails) == 1)
    receipt.write_text(receipt.read_text().replace("purpose:", "status: archived\npurpose:"))

    def told():
        found = json.loads(run("diff", shop, "--json").stdout)["campaigns"]
        return [(one["campaign"], one["exits"]) for one in found if one["inside"]]

    assert told() == told() == [("receipt", {"archived": 1})]
    assert "leave: archived 1" in run("diff", shop).stdout
    assert serving.drain() == 0
    assert told() == [("receipt", {"archived": 1})]


def test_a_shop_with_faults_cannot_be_compared(shop, serve):
    serving = serve(shop)
    write(shop, {"campaigns/bad.yaml": "campaign: Bad One\nsteps: []\n"})
    found = run("diff", shop)
    assert found.returncode == 1
    assert "campaigns/bad.yaml:1" in found.stderr
    assert serving.drain() == 0


def test_an_operator_asks_about_the_folder_by_a_request(shop, serve):
    serving = serve(shop)
    with urllib.request.urlopen(operating(shop, serving, "/api/diff")) as answer:
        told = json.loads(answer.read().splitlines()[-1])["result"]
    assert (told["changed"], told["past"]) == (False, None)
    assert serving.drain() == 0
