"""A bulk start and a process that is told to stop: nobody is started twice, none forgotten."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request

import pytest

from tests.acceptance.conftest import HAIRSPRING, run, write

pytestmark = pytest.mark.acceptance

FILES = {
    "hairspring.toml": '[storage]\nresume_grace = "0s"\n',
    "segments.yaml": 'gold: user.tier == "gold"\n',
    "campaigns/call.yaml": "campaign: call-back\nenter: {manual: true}\n"
    "steps: [{wait: 1h, id: w}]\n",
}


def metrics_of(serving) -> str:
    with urllib.request.urlopen(f"{serving.admin_url}/metrics") as answer:
        return answer.read().decode()


def test_a_bulk_start_ends_with_its_process_and_goes_on_under_the_next(tmp_path, serve):
    shop = tmp_path / "shop"
    write(shop, FILES)
    serving = serve(shop)
    gold = {"type": "identify", "traits": {"tier": "gold"}}
    users = [{**gold, "user_id": f"u{number}"} for number in range(40)]
    serving.tell(*users)
    asked = ["trigger", "call-back", "--segment", "gold", "--run", "spring"]
    asked += ["--data", str(shop / "data")]
    starting = subprocess.Popen(
        [HAIRSPRING, *asked, "--per-second", "2"], stderr=subprocess.PIPE, text=True
    )
    while 'campaign="call-back",kind="entered"' not in metrics_of(serving):
        pass  # until the first of them is started
    assert serving.drain() == 0
    _, told = starting.communicate(timeout=60)
    assert starting.returncode == 1
    found = re.search(r"the process is stopping: (\d+) of 40 users were started", told)
    assert found is not None, told
    assert "--run spring" in told
    broken = [json.loads(line) for line in serving.log if "bulk.broken_off" in line]
    assert [(one["started"], one["of"]) for one in broken] == [(int(found[1]), 40)]

    serve(shop)
    done = run(*asked, "--json")
    bulked = json.loads(done.stdout)
    assert bulked["known"] == int(found[1])
    assert bulked["entered"] == 40 - int(found[1])
