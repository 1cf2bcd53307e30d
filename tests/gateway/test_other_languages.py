"""A client in TypeScript comes to the same envelopes and signatures as the package, byte for byte."""

import json
import shutil
import subprocess
from pathlib import Path

from support import PROJECT
from support.model.vectors import FOLDER

from dem.gateway.protocol import TYPES, Envelope, check

HERE = Path(__file__).parent / "typescript"
VECTORS = FOLDER / "messages.json"


def test_a_client_in_typescript_reproduces_the_vectors(tmp_path: Path) -> None:
    program = tmp_path / "vectors.mjs"
    esbuild = PROJECT / "node_modules" / ".bin" / "esbuild"
    bundle = ["--bundle", "--platform=node", "--format=esm", f"--outfile={program}", "--log-level=error"]
    subprocess.run([esbuild, HERE / "vectors.ts", *bundle], check=True, cwd=PROJECT, timeout=60)
    cases = json.loads(VECTORS.read_text(encoding="utf-8"))
    asked = [{name: value for name, value in case.items() if name != "expected"} for case in cases]
    node = shutil.which("node")
    assert node is not None
    told = subprocess.run(
        [node, program], input=json.dumps(asked).encode(), capture_output=True, check=True, timeout=60
    )
    assert told.stdout.decode().splitlines() == [case["expected"] for case in cases]


def test_the_vectors_have_every_type_and_are_taken() -> None:
    cases = [case for case in json.loads(VECTORS.read_text(encoding="utf-8")) if "text" not in case]
    assert {case["type"] for case in cases} == {*TYPES}
    for case in cases:
        envelope = Envelope.model_validate_json(case["expected"])
        check(envelope, case["market"]["chain"], case["market"]["contracts"])
        assert envelope.model_dump_json() == case["expected"]
