"""The test server as tests use it."""

import json
import urllib.request
from typing import Any

from lamsim_core.models.endpoint_entry import Endpoint


class Told:
    """A running server that does as it is told."""

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.root}/v1"

    def plan(self, *replies: Any, **more: Any) -> None:
        """What comes next; what was seen is forgotten."""
        self._ask("/plan", {"replies": list(replies), **more})

    def seen(self) -> dict[str, Any]:
        """What was asked since, probes left out."""
        found = self._ask("/seen")
        asked = [r for r in found["requests"] if r["body"]["messages"][0]["content"] != "Call the tool ping now."]
        return {**found, "all": found["requests"], "requests": asked}

    def endpoint(self, **more: Any) -> Endpoint:
        """An entry that leads here."""
        return Endpoint(**{"base_url": self.base_url, "model": "m", "timeout_seconds": 10, **more})

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, method="GET" if body is None else "PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())
