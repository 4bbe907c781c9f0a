"""Coupon pools of a shop: `coupons/NAME.txt`, a code a line, or `coupons/NAME.csv`.

They are no part of what is loaded and journaled as a plan: a pool may be long, and its codes are
worth money. A process reads them in where it starts, and where it reloads.
"""

from __future__ import annotations

import csv
import io
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from config.faults import Findings, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from channels.rendering import Template

COUPONS: Final = "coupons"
POOL_BYTES_MAX: Final = 32 << 20
CODES_MAX: Final = 1_000_000
CODE_CHARS_MAX: Final = 100

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_ENDINGS: Final = (".txt", ".csv")
_FAULTS_TOLD: Final = 20


class Pool(msgspec.Struct, frozen=True):
    """One pool: its codes, each once, in the order of the file, and a digest of the file."""

    codes: tuple[str, ...]
    digest: str


def read_pools(folder: Path, findings: Findings) -> dict[str, Pool]:
    """The pools of a shop folder, by name; what is at fault is left out and told. O(size)."""
    root = folder / COUPONS
    try:
        files = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        findings.fault(COUPONS, 1, f"cannot be read: {error.strerror}", "let this user read it")
        return {}
    pools: dict[str, Pool] = {}
    for path in files:
        name, told = path.stem, f"{COUPONS}/{path.name}"
        if path.name.endswith("~") or not path.is_file():
            continue
        if path.suffix not in _ENDINGS:
            findings.warn(told, 1, "is not read", "pools are named NAME.txt or NAME.csv")
        elif not _NAME.fullmatch(name):
            hint = "a-z, 0-9, _ and -, up to 40: templates write coupons.NAME"
            findings.fault(told, 1, f"is no name of a pool: {shown(name)}", hint)
        elif name in pools:
            hint = f"keep one of {name}.txt and {name}.csv"
            findings.fault(told, 1, f"the pool {name} is there twice", hint)
        else:
            pool = _read(path, told, findings)
            if pool is not None:
                pools[name] = pool
    return pools


def check_pools(
    templates: Iterable[Template], pools: Mapping[str, Pool], findings: Findings
) -> None:
    """Have every pool that a template names be there. O(templates)."""
    for template in templates:
        for pool, line in template.pools.items():
            if pool not in pools:
                hint = nearest(pool, sorted(pools)) if pools else f"write {COUPONS}/{pool}.txt"
                findings.fault(template.path, line, f"there is no pool {shown(pool)}", hint)


def _read(path: Path, told: str, findings: Findings) -> Pool | None:
    try:
        size = path.stat().st_size
        if size > POOL_BYTES_MAX:
            findings.fault(told, 1, f"has {size} bytes", f"at most {POOL_BYTES_MAX} bytes a pool")
            return None
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        findings.fault(told, 1, "not text in UTF-8", "save the file as UTF-8")
        return None
    except OSError as error:
        findings.fault(told, 1, f"cannot be read: {error.strerror}", "let this user read it")
        return None
    lines = _from_csv(text) if path.suffix == ".csv" else _from_text(text)
    codes: dict[str, int] = {}
    faults = 0
    for line, code in lines:
        if code in codes:
            findings.warn(told, line, f"a code of line {codes[code]} again", "each is given once")
        elif len(code) > CODE_CHARS_MAX or not code.isprintable() or " " in code:
            faults += 1
            if faults <= _FAULTS_TOLD:
                hint = f"up to {CODE_CHARS_MAX} characters without blanks, one code a line"
                findings.fault(told, line, "this is no code", hint)
        else:
            codes[code] = line
    if len(codes) > CODES_MAX:
        findings.fault(told, 1, f"has {len(codes)} codes", f"at most {CODES_MAX} a pool")
        return None
    if not codes:
        findings.warn(told, 1, "has no codes: no message that names it is sent", "put some in")
    return Pool(tuple(codes), blake2b(data, digest_size=16).hexdigest())


def _from_text(text: str) -> list[tuple[int, str]]:
    """(line, code); what begins with # is for people."""
    stripped = ((line, said.strip()) for line, said in enumerate(text.splitlines(), start=1))
    return [(line, code) for line, code in stripped if code and not code.startswith("#")]


def _from_csv(text: str) -> list[tuple[int, str]]:
    """(line, code): of the column `code`, else of the first one, below a line of names."""
    reader = csv.reader(io.StringIO(text, newline=""))
    found: list[tuple[int, str]] = []
    place = 0
    for number, row in enumerate(reader):
        cells = [cell.strip() for cell in row]
        if number == 0 and "code" in [cell.lower() for cell in cells]:
            place = [cell.lower() for cell in cells].index("code")
        elif len(cells) > place and cells[place]:
            found.append((reader.line_num, cells[place]))
    return found
