"""/v1/files: what is to be learned by a tuning job, and what jobs give back. A file belongs to the key that sent it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from gatewheel.guard.redact import redact
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import client_files, uploads
from gatewheel.loop.client_files import File
from gatewheel.serve import fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service
from gatewheel.serve.v1.pages import page
from gatewheel.serve.v1.tuning_shapes import FileDeletedShape, FileShape, FilesShape

router = APIRouter(prefix="/files")
At = Annotated[Service, Depends(service)]
Operator = Annotated[Caller, Depends(may("operate"))]
PURPOSE = "fine-tune"
FIELDS = 8  # of a form
MOST = 10_000  # files of a page, as at OpenAI
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": [PURPOSE]},
                    },
                }
            }
        },
    }
}


class Raw(Response):
    """The bytes of a file."""

    media_type = "application/octet-stream"


@router.post(
    "",
    operation_id="createFile",
    summary="Upload a file to learn from",
    openapi_extra=FORM,
    responses={200: {"model": FileShape, "description": "The file"}, **fault.ERRORS},
)
async def upload(request: Request, caller: Operator, at: At) -> Response:
    """JSON Lines of chat `messages`. Each line is looked at; with one at fault nothing is kept.

    What `[serve] redact_files` names is blacked out before it is.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Fault(400, "the body is no form; send multipart/form-data with `file` and `purpose`", code="invalid_body")
    async with request.form(max_files=1, max_fields=FIELDS) as form:
        _refuse_fields(form)
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Fault(400, "no file came; send it in the field `file`", code="invalid_value", param="file")
        return flow.reply(_shape(await at.quickly(lambda: _keep(at, caller, file))))


@router.get(
    "",
    operation_id="listFiles",
    summary="The files of this key",
    responses={200: {"model": FilesShape, "description": "A page of them"}, **fault.ERRORS},
)
async def listed(
    caller: Operator,
    at: At,
    purpose: Annotated[str, Query(description="Only files for this.")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str, Query(description="The id of a file; those that follow it.")] = "",
) -> Response:
    """By when they were sent, the newest first."""
    found = await at.quickly(lambda: client_files.listed(at.project.parts.engine, key=caller.key, purpose=purpose))
    ordered = found if order == "asc" else found[::-1]
    shapes, more = page([_shape(one) for one in ordered], after=after, limit=limit)
    ends = (shapes[0]["id"], shapes[-1]["id"]) if shapes else (None, None)
    pages: FilesShape = {"object": "list", "data": shapes, "has_more": more, "first_id": ends[0], "last_id": ends[1]}
    return flow.reply(pages)


@router.get(
    "/{file_id}",
    operation_id="retrieveFile",
    summary="One file",
    responses={200: {"model": FileShape, "description": "The file"}, **fault.ERRORS},
)
async def one(file_id: str, caller: Operator, at: At) -> Response:
    """Only for the key that sent it."""
    return flow.reply(_shape(await find(at, caller, file_id)))


@router.get(
    "/{file_id}/content",
    operation_id="downloadFile",
    summary="The bytes of a file",
    response_class=Raw,
    responses={200: {"description": "As they are kept."}, **fault.ERRORS},
)
async def content(file_id: str, caller: Operator, at: At) -> Response:
    """Only for the key that sent it."""
    found = await find(at, caller, file_id)
    return Raw(await at.quickly(lambda: at.project.parts.objects.get(found.object)))


@router.delete(
    "/{file_id}",
    operation_id="deleteFile",
    summary="Delete a file",
    responses={200: {"model": FileDeletedShape, "description": "It is no more"}, **fault.ERRORS},
)
async def delete(file_id: str, caller: Operator, at: At) -> Response:
    """Only by the key that sent it. What was learned of it, and the dataset that was, stays."""
    parts = at.project.parts
    if not await at.quickly(lambda: client_files.remove(parts.engine, parts.objects, file_id, key=caller.key)):
        raise _unknown(file_id)
    deleted: FileDeletedShape = {"id": file_id, "object": "file", "deleted": True}
    return flow.reply(deleted)


async def find(at: Service, caller: Caller, file_id: str) -> File:
    """A file of the caller's. Raises Fault 404."""
    found = await at.quickly(lambda: client_files.find(at.project.parts.engine, file_id, key=caller.key))
    if found is None:
        raise _unknown(file_id)
    return found


def _keep(at: Service, caller: Caller, file: UploadFile) -> File:
    parts, kinds = at.project.parts, at.project.config.serve.redact_files
    name = redact(uploads.shown(file.filename or "upload"), kinds)
    try:
        client_files.refuse_unfit(file.file)
        file.file.seek(0)
        with client_files.blacked(file.file, kinds) if kinds else nullcontext(file.file) as content:
            return client_files.keep(parts.engine, parts.objects, content, name=name, key=caller.key)
    except UserError as error:
        raise Fault(400, str(error), code="invalid_file_format", param="file") from None


def _refuse_fields(form: Any) -> None:
    if form.get("purpose") != PURPOSE:
        what = f"purpose: must be '{PURPOSE}', for nothing else is done with files here"
        raise Fault(400, what, code="invalid_value", param="purpose")
    if any(name.startswith("expires_after") for name in form):
        what = "expires_after: files stay until they are deleted; leave it out"
        raise Fault(400, what, code="unsupported_parameter", param="expires_after")


def _unknown(file_id: str) -> Fault:
    what = f"no file '{uploads.shown(file_id)[:80]}'; it was deleted, or belongs to another key"
    return Fault(404, what, code="file_not_found", param="file_id")


def _shape(file: File) -> FileShape:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "expires_at": None,
        "status_details": None,
    }
