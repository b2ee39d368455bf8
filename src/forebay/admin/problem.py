"""Refusals of the admin API."""

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from forebay.errors import ForebayError


class Problem(JSONResponse):
    """RFC 9457. `more` are members of ours, such as `hint`: what to do about it."""

    media_type = "application/problem+json"

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:  # noqa: ANN401 - any JSON
        value: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
        super().__init__(value, status, headers)

    @classmethod
    def of(cls, status: int, error: ForebayError) -> "Problem":
        """What an error of ours says."""
        return cls(status, error.message, None, **({"hint": error.hint} if error.hint else {}))
