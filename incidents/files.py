"""How a file leaves the desk: as a download, never shown by the browser in the desk's own name."""

from __future__ import annotations

from django.http import FileResponse, Http404, HttpResponseBase

from incidents.filetypes import served_type
from incidents.models import Attachment


def handed_out(attachment: Attachment) -> HttpResponseBase:
    """The answer with the file; 404 where the storage has lost it. Who may read it is for the caller to say."""
    try:
        content = attachment.file.open("rb")
    except FileNotFoundError as error:
        raise Http404("The file is not there any more.") from error
    answer = FileResponse(
        content, as_attachment=True, filename=attachment.download_name,
        content_type=served_type(attachment.content_type),
    )  # fmt: skip
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
