"""Nodes as they are: before a good one stands somebody who limits, prunes or delays what it answers."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.commands.node import Reply

Message = dict[str, Any]
_ANY = 1 << 62


@dataclass(slots=True)
class Limits:
    """What a node refuses, told as hosted nodes do; see `Wire.disturb`.

    blocks, results: most that it answers for at once. state: of HTTP in place of an error in an answer. pruned: it has
    no events of earlier blocks, and answers as if there had been none. rate: every such request comes too fast.
    seconds: that it takes for each.
    """

    blocks: int = _ANY
    results: int = _ANY
    state: int = 200
    pruned: int = 0
    rate: int = _ANY
    seconds: float = 0.0
    asked: int = 0
    refused: int = 0

    def __call__(self, body: bytes, pass_on: Callable[[bytes], bytes | None]) -> Reply:
        request = json.loads(body)
        is_batch = isinstance(request, list)
        time.sleep(self.seconds)
        self.asked += is_batch
        if is_batch and self.asked % self.rate == 0:  # ape asks one by one, and gives up at once
            self.refused += 1
            return 429, b"too many requests"
        told = pass_on(body)
        assert told is not None
        pairs = zip(request, json.loads(told), strict=True) if is_batch else [(request, json.loads(told))]
        answers = [self._limited(*pair) for pair in pairs]
        if self.state != 200 and any("error" in one for one in answers):
            return self.state, b"it is too much"
        return 200, json.dumps(answers if is_batch else answers[0]).encode()

    def _limited(self, request: Message, answer: Message) -> Message:
        if request["method"] != "eth_getLogs" or "result" not in answer:
            return answer
        [question] = request["params"]
        first, last = (int(question.get(end, "0x0"), 16) for end in ("fromBlock", "toBlock"))
        if last - first >= self.blocks or len(answer["result"]) > self.results:
            self.refused += 1
            error = {"code": -32005, "message": "query exceeds the limit of this node"}
            return {"jsonrpc": "2.0", "id": request["id"], "error": error}
        return {**answer, "result": [log for log in answer["result"] if int(log["blockNumber"], 16) >= self.pruned]}
