"""`houqin sandbox`: every outside platform on one port, with faults on demand. docs/sandbox.md."""

import sandbox.cli

command = sandbox.cli.main
