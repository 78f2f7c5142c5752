"""The client's types are those of /openapi.json as it stands."""

import subprocess
import sys
from pathlib import Path

from tests.client.conftest import CLIENT, ROOT, npm


def test_the_types_are_those_of_the_api(node_modules: Path, tmp_path: Path):
    """Stale? `houqin openapi > openapi.json`, then in client/: `npm run types -- ../openapi.json`."""
    said = subprocess.run(
        [sys.executable, "-m", "commands", "openapi"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    description, fresh = tmp_path / "openapi.json", tmp_path / "types.ts"
    description.write_text(said.stdout)
    npm("run", "types", "--", str(description), str(fresh))
    assert fresh.read_text() == (CLIENT / "src" / "api" / "types.ts").read_text()
