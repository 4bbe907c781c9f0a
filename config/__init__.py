"""How a shop folder becomes a plan: every fault at once, each with its file and line.

`load_folder` reads a folder, `load_shop` takes the same files from memory (an engine journals the
files of a plan and loads them again from there). Both give a `Shop` or raise `ShopInvalid`. The
way is: text to located values (`yaml12`, `tomlplaces`), those to settings (`reading`, `settings`)
and campaigns (`compile`, `steps`, `conditions`), and what was found wrong on the way to a
`Findings`, so that nobody mends one fault to meet the next.
"""

from __future__ import annotations

from config.expected import Expected
from config.faults import Fault, ShopInvalid
from config.folder import read_folder, read_tests_folder
from config.given import Outage
from config.loader import (
    ContentInvalid,
    Shop,
    campaign_id_in,
    campaign_path,
    decode_content,
    encode_content,
    load_folder,
    load_shop,
    plan_id_of,
)
from config.serving import WriteKey
from config.settings import Settings
from config.shoptests import ShopTest, read_tests
from config.starter import demo_shop, write_starter

__all__ = [
    "ContentInvalid",
    "Expected",
    "Fault",
    "Outage",
    "Settings",
    "Shop",
    "ShopInvalid",
    "ShopTest",
    "WriteKey",
    "campaign_id_in",
    "campaign_path",
    "decode_content",
    "demo_shop",
    "encode_content",
    "load_folder",
    "load_shop",
    "plan_id_of",
    "read_folder",
    "read_tests",
    "read_tests_folder",
    "write_starter",
]
