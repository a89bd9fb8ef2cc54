"""Documents that come by HTTP: kept byte for byte below `uploads/` in the project, then ingested."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.datastructures import UploadFile

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import uploads
from gatewheel.loop.project import Project
from gatewheel.serve.access import may
from gatewheel.serve.api.documents import Unread
from gatewheel.serve.api.runs import Started
from gatewheel.serve.api.wire import Words, refusals
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api", tags=["documents"])
MOST = 1000  # files in one request
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            }
        },
    }
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """What was kept, as citations will name it, and what was not; `run` reads it, null when nothing was kept."""

    run: str | None
    saved: list[str]
    refused: list[Unread]


@router.post("/documents", operation_id="upload_documents", status_code=202, openapi_extra=FORM, responses=refusals())
async def upload(
    request: Request,
    caller: Annotated[Caller, Depends(may("operate"))],  # before the body is read
    at: Annotated[Service, Depends(service)],
) -> Uploaded:
    """Keep files below `uploads/` in the project and read them. A file of the same name that one sees is replaced."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Fault(400, "the body is no form; send multipart/form-data with a field `files`", code="invalid_body")
    async with request.form(max_files=MOST, max_fields=MOST) as form:
        files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
        if not files:
            raise Fault(400, "no file came; send them in a field `files`", code="invalid_value", param="files")
        return await at.quickly(lambda: _keep(at, at.project.seen_by(caller), files))


@router.delete("/documents/{source:path}", operation_id="delete_document", status_code=202, responses=refusals(404))
async def remove(
    source: Annotated[Words, Path(description="As citations name it; below `uploads/`.")],
    caller: Annotated[Caller, Depends(may("operate"))],
    at: Annotated[Service, Depends(service)],
) -> Started:
    """Delete a file that was uploaded; the index follows."""
    if not source.startswith(f"{uploads.FOLDER}/"):
        message = f"'{source}' was not uploaded; remove the file itself and ingest"
        raise Fault(400, message, code="invalid_value", param="source")
    project = at.project.seen_by(caller)
    if not await at.quickly(lambda: _in_sight(project, source) and uploads.remove(project.config.root, source)):
        raise Fault(404, f"no uploaded file '{source}'; see the list of documents", code="not_found", param="source")
    return Started(run=await at.quickly(at.background.ingest))


def _in_sight(project: Project, source: str) -> bool:
    project.parts.passages(project.caller.groups)  # by now the documents are granted as [access] says
    return uploads.whole_in_sight(project.parts.engine, source, project.caller.groups)


def _keep(at: Service, project: Project, files: list[UploadFile]) -> Uploaded:
    config = project.config
    saved: list[str] = []
    refused: list[Unread] = []
    for file in files:
        name = file.filename or ""
        try:
            source = uploads.keep(
                config.root,
                name,
                file.file,
                max_mb=config.sources.max_file_mb,
                taken=frozenset(saved),
                replaces=partial(_in_sight, project),
            )
        except SourceError as error:
            refused.append(Unread(source=uploads.shown(name), reason=str(error)))
        else:
            saved.append(source)
    run = at.background.ingest(saved) if saved else None
    return Uploaded(run=run, saved=saved, refused=refused)
