"""Take files that people hand in."""

from __future__ import annotations

import hashlib

from libs.common.database import Transaction
from libs.common.errors import Fault, Invalid
from services.planning.domain.files import fault_of
from services.planning.queries import files as find
from services.planning.queries import lock_school
from services.planning.tables import FileRow, UploadRow


async def keep_file(
    tx: Transaction, school: str, by: str, *, media: str, name: str, content: bytes
) -> tuple[UploadRow, FileRow, bool]:
    """Keep a file once by the hash of its content, and who handed it in; whether the caller did for the first time.

    Raises Invalid where the content is not what it is said to be.
    """
    if (fault := fault_of(media, content)) is not None:
        raise Invalid("the file is not taken", [Fault(pointer="", detail=fault)])
    await lock_school(tx.session, school)
    sha256 = hashlib.sha256(content).hexdigest()
    file = await find.find_file(tx.session, school, sha256)
    if file is None:
        file = FileRow(school=school, sha256=sha256, media=media, size=len(content), content=content)
        tx.session.add(file)
        await tx.session.flush()
    if (there := await find.find_upload(tx.session, school, sha256, by)) is not None:
        return there, file, False
    row = UploadRow(school=school, sha256=sha256, person=by, name=name, at=tx.now)
    tx.session.add(row)
    await tx.session.flush()
    return row, file, True
