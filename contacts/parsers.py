"""The multipart parser of uploads: writes the file to disk while it arrives, and enforces the size limit."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest
from rest_framework.parsers import MultiPartParser

from config.api.errors import PayloadTooLarge

OVERHEAD = 64 * 1024  # bytes of a multipart body besides its file


class FileTooLarge(PayloadTooLarge):
    """The file is larger than CONTACT_MAX_BYTES."""

    def __init__(self) -> None:
        limit = settings.CONTACT_MAX_BYTES
        super().__init__(f"The file is too large. The limit is {limit / 1024 / 1024:.3g} MB.", "too_large")


class LimitedUploadHandler(TemporaryFileUploadHandler):
    """Write the file to a temporary file; raise FileTooLarge at the limit without reading the rest."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.received = 0

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:
        if content_length > settings.CONTACT_MAX_BYTES + OVERHEAD:
            raise FileTooLarge

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > settings.CONTACT_MAX_BYTES:
            raise FileTooLarge
        super().receive_data_chunk(raw_data, start)


class SheetParser(MultiPartParser):
    """Parse multipart with LimitedUploadHandler as the only upload handler."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request = parser_context["request"]._request
        request.upload_handlers = [LimitedUploadHandler(request)]
        return super().parse(stream, media_type, parser_context)
