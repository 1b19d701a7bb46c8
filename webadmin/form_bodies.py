"""Requests whose forms are bounded before anything is made of them.

Werkzeug bounds the parts and texts of a multipart form, and neither of one that comes as `a=1&b=2`: of that it makes
17 to 33 times its size in memory, of a body of up to `MAX_UPLOAD_SIZE`, for anybody who can reach the sign-in form.
"""

from __future__ import annotations

import io
from typing import IO, Any
from urllib.parse import unquote_to_bytes

import flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from webadmin.errors import N_, Invalid


class BoundedFormParser(FormDataParser):
    """Holds `MAX_FORM_MEMORY_SIZE` and `MAX_FORM_PARTS` against every kind of form."""

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> Any:
        """What Werkzeug makes of it. Raises RequestEntityTooLarge, Invalid."""
        most_bytes, most_fields = self.max_form_memory_size, self.max_form_parts
        if mimetype == "application/x-www-form-urlencoded" and most_bytes is not None and most_fields is not None:
            sent = stream.read(most_bytes + 1)
            if len(sent) > most_bytes or sent.count(b"&") >= most_fields:
                raise RequestEntityTooLarge
            _check_text(sent)
            stream = io.BytesIO(sent)
        return super().parse(stream, mimetype, content_length, options)


def _check_text(sent: bytes) -> None:
    """Raises Invalid for what is no text: Werkzeug would leave its bytes as `%ED%A0%80` in the field."""
    try:
        unquote_to_bytes(sent).decode()
    except UnicodeDecodeError:
        raise Invalid(N_("The form holds bytes that are no text in UTF-8. Nothing was changed.")) from None


class Request(flask.Request):
    """A request of this application."""

    form_data_parser_class = BoundedFormParser
