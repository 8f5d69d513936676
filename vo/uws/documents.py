"""The XML documents of UWS 1.1 (its section 2 and schema).

vo-models covers the schema, but its parameters have to be known beforehand and its jobInfo is one text: here both
are what a job brings.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from lxml import etree

from vo.db.jobrecords import Job
from vo.tables.votable import legal

_UWS = "http://www.ivoa.net/xml/UWS/v1.0"
_XLINK = "http://www.w3.org/1999/xlink"
_NIL = {"{http://www.w3.org/2001/XMLSchema-instance}nil": "true"}
_NAMESPACES = {"uws": _UWS, "xlink": _XLINK, "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
_HREF = f"{{{_XLINK}}}href"
_TYPE = f"{{{_XLINK}}}type"


def job_document(job: Job, job_url: str) -> bytes:
    """A job whole (uws:job), whose address is ``job_url``."""
    root = _root("job", version="1.1")
    _add(root, "jobId", job.id)
    if job.run_id is not None:
        _add(root, "runId", job.run_id)
    _add(root, "ownerId", job.owner)
    _add(root, "phase", job.phase)
    _add(root, "quote", timestamp(job.quote))
    _add(root, "creationTime", timestamp(job.creation_time))
    _add(root, "startTime", timestamp(job.start_time))
    _add(root, "endTime", timestamp(job.end_time))
    _add(root, "executionDuration", str(job.execution_seconds))
    _add(root, "destruction", timestamp(job.destruction))
    _fill_parameters(_add(root, "parameters", ""), job)
    _fill_results(_add(root, "results", ""), job, job_url)
    if job.error is not None:
        summary = etree.SubElement(root, f"{{{_UWS}}}errorSummary", type=job.error.type, hasDetail="true")
        _add(summary, "message", job.error.message)
    _add_info(root, job)
    return _serialise(root)


def list_document(jobs: Sequence[Job], list_url: str) -> bytes:
    """A list of jobs (uws:jobs), whose address is ``list_url``."""
    root = _root("jobs", version="1.1")
    for job in jobs:
        reference = etree.SubElement(root, f"{{{_UWS}}}jobref", {"id": job.id, _HREF: f"{list_url}/{job.id}"})
        _add(reference, "phase", job.phase)
        if job.run_id is not None:
            _add(reference, "runId", job.run_id)
        _add(reference, "ownerId", job.owner)
        _add(reference, "creationTime", timestamp(job.creation_time))
    return _serialise(root)


def parameters_document(job: Job) -> bytes:
    """The parameters of a job (uws:parameters)."""
    root = _root("parameters")
    _fill_parameters(root, job)
    return _serialise(root)


def results_document(job: Job, job_url: str) -> bytes:
    """The results of a job (uws:results)."""
    root = _root("results")
    _fill_results(root, job, job_url)
    return _serialise(root)


def timestamp(when: dt.datetime | None) -> str | None:
    """A time as DALI has it, in UTC with the Z that UWS wants (UWS-02); None for none."""
    if when is None:
        return None
    return when.astimezone(dt.UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _fill_parameters(parent: etree._Element, job: Job) -> None:
    for name, value in job.parameters:
        etree.SubElement(parent, f"{{{_UWS}}}parameter", id=legal(name)).text = legal(value)


def _fill_results(parent: etree._Element, job: Job, job_url: str) -> None:
    for result in job.results:
        attributes = {
            "id": result.id,
            _TYPE: "simple",
            _HREF: f"{job_url}/results/{result.id}",
            "size": str(result.size),
            "mime-type": result.media_type,
        }
        etree.SubElement(parent, f"{{{_UWS}}}result", attributes)


def _add_info(root: etree._Element, job: Job) -> None:
    """What else there is to say: hints for whoever wrote the query, and how far a running job is."""
    hints = job.info.get("hints", ())
    is_running = job.phase == "EXECUTING"
    written = job.info.get("bytes") if is_running else None
    progress = job.info.get("progress", {}) if is_running else {}
    if not hints and written is None and not progress:
        return
    info = _add(root, "jobInfo", "")
    for hint in hints:
        etree.SubElement(info, "hint").text = legal(hint)
    if written is not None:
        etree.SubElement(info, "bytesWritten").text = str(written)
    for name, count in progress.items():
        etree.SubElement(info, str(name)).text = str(count)


def _root(name: str, **attributes: str) -> etree._Element:
    return etree.Element(f"{{{_UWS}}}{name}", attributes, nsmap=_NAMESPACES)


def _add(parent: etree._Element, name: str, text: str | None) -> etree._Element:
    """Append an element; None makes it nil (UWS-08)."""
    element = etree.SubElement(parent, f"{{{_UWS}}}{name}", _NIL if text is None else {})
    if text:
        element.text = legal(text)
    return element


def _serialise(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
