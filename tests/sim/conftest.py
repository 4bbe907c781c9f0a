from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/sim --rewrite` writes what the golden scripts give now under their input."""
    parser.addoption("--rewrite", action="store_true", help="write golden scripts anew")
