"""What anybody may see of the catalogue: assistants that are both public and published, and nothing of their review."""

from __future__ import annotations

import msgspec
from sqlalchemy.orm import Session

from webadmin.catalogue.assistants import find_record
from webadmin.catalogue.records import JSON_NAMES, Record, encode
from webadmin.errors import N_, NotFound

_HIDDEN = (JSON_NAMES["reviewed_at"], JSON_NAMES["review_note"])
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])


def get_open(session: Session, assistant_id: str) -> Record:
    """The record with this id. Raises NotFound when there is none, and in the same words when it is not for anybody."""
    record = find_record(session, assistant_id)
    if record is None or not record.is_public or record.status != "published":
        raise NotFound(N_("There is no assistant “%(id)s”."), id=assistant_id)
    return record


def encode_open(record: Record) -> bytes:
    """The record as one line of JSON, without its review and without keys that nobody here knows."""
    keys = _keys.decode(encode(msgspec.structs.replace(record, extra={})))
    return msgspec.json.encode({name: value for name, value in keys.items() if name not in _HIDDEN})
