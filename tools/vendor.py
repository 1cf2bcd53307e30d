"""What the console's pages bring of others, built from node_modules into one file with its licences.

python tools/vendor.py renew    build it anew
python tools/vendor.py check    say whether it is what the locked packages give
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "dem" / "gateway" / "pages" / "static"
MODULES = ROOT / "node_modules"
NOBLE = """\
export { secp256k1 } from "@noble/curves/secp256k1.js";
export { keccak_256 } from "@noble/hashes/sha3.js";
"""
OPTIONS = ("--bundle", "--format=esm", "--minify", "--target=es2022", "--legal-comments=eof")


def built() -> dict[str, bytes]:
    """The files, by name."""
    with tempfile.TemporaryDirectory(dir=MODULES) as folder:
        entry = Path(folder) / "noble.js"
        entry.write_text(NOBLE, encoding="utf-8")
        command = [MODULES / ".bin" / "esbuild", entry, *OPTIONS, "--log-level=warning"]
        script = subprocess.run(command, check=True, capture_output=True).stdout
    licences = (MODULES / "@noble" / name / "LICENSE" for name in ("curves", "hashes"))
    texts = [f"{path.parent.name}:\n\n{path.read_text(encoding='utf-8')}" for path in licences]
    return {"noble.js": script, "noble-licence.txt": "\n".join(texts).encode()}


if __name__ == "__main__":
    if sys.argv[1:] == ["renew"]:
        for name, content in built().items():
            (STATIC / name).write_bytes(content)
    elif sys.argv[1:] == ["check"]:
        wrong = [name for name, content in built().items() if (STATIC / name).read_bytes() != content]
        sys.exit(f"not what node_modules gives: {', '.join(wrong)}; python tools/vendor.py renew" if wrong else None)
    else:
        sys.exit(__doc__)
