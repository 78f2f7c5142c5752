"""What the documents name is there: tests, drills, files, pages, commands."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@cache
def functions_of(path: Path) -> frozenset[str]:
    return frozenset(
        node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_and_picture_leads_somewhere(document):
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [link for link in links if link and "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_exists(document):
    named = set(re.findall(r"(?:^|`|bin/)houqin ([a-z]+)\b", document.read_text("utf-8"), flags=re.MULTILINE))
    assert named - set(COMMANDS) == set()


def test_the_evidence_of_every_security_row_exists():
    text = (ROOT / "docs/security.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|") and not re.match(r"\|[-| ]+\|$|\| item ", line)]
    missing, file = [], None
    for row in rows:
        evidence = row.rstrip("| ").rpartition("|")[2]
        named = re.findall(r"`([^`]+)`|\]\(([^)]+)\)", evidence)
        if not named:
            missing.append(f"no evidence: {row[:60]}")
        for code, link in named:
            if link:
                continue  # links are looked at above
            path, _, name = code.partition("::")
            file = ROOT / path if path else file
            if not file.is_file() or (name and name not in functions_of(file)):
                missing.append(code)
    assert missing == []
