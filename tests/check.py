"""Format, lint, types and import rules; each prints its own findings.

usage: python -m tests.check
"""

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
CHECKS = (
    ("format", ["ruff", "format", "--check", "--quiet", "."]),
    ("lint", ["ruff", "check", "--quiet", "."]),
    ("import rules", ["lint-imports", "--no-cache"]),
    ("types", ["mypy"]),
)


def main() -> None:
    failed = []
    for name, (program, *arguments) in CHECKS:
        print(f"checking {name} ...", flush=True)
        result = subprocess.run([BIN / program, *arguments], capture_output=True, text=True, check=False)
        if result.returncode:
            failed.append(name)
            print(result.stdout, result.stderr, sep="")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; make fix repairs what can be repaired")


if __name__ == "__main__":
    main()
