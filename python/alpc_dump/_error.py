"""Why there is no answer."""

from __future__ import annotations

from typing import Any, Dict, List, Optional


class Error(Exception):
    """Why there is no answer: what, where, why, and what to do next."""

    #: A stable id, of those that docs/json.md lists: "no-symbols", "ambiguous" and so on.
    id: str
    #: The message.
    text: str
    #: "finding" for what is not in the dump, "partial" for what cannot be read, else "fatal"; none among many.
    status: Optional[str]
    #: Names that may have been meant, the nearest first.
    suggestions: List[Dict[str, Any]]

    def __init__(
        self,
        id: str,
        text: str,
        status: Optional[str] = "fatal",
        suggestions: Optional[List[Dict[str, Any]]] = None,
    ) -> None:
        super().__init__(id, text, status, suggestions or [])
        self.id = id
        self.text = text
        self.status = status
        self.suggestions = suggestions or []

    def __str__(self) -> str:
        return f"{self.text} [{self.id}]"
