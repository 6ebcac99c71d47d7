"""Says in a corner of the page what just happened."""

from __future__ import annotations

import json
from typing import TypeVar

from django.http.response import HttpResponseBase

_Answer = TypeVar("_Answer", bound=HttpResponseBase)


def toasted(answer: _Answer, text: str, state: str = "ok") -> _Answer:
    """Have the page show a sentence once this answer to one of its own requests is in place."""
    answer["HX-Trigger"] = json.dumps({"toast": {"text": text, "state": state}})
    return answer
