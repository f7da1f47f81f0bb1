"""Pictures of people: whatever is sent becomes a small WebP of ours, or nothing."""

import io
from typing import IO

from PIL import Image, ImageOps
from rest_framework.exceptions import ValidationError

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 24_000_000
SIDE = 512  # pixels, the longer one
FORMATS = ("JPEG", "PNG", "WEBP")


class BadImage(ValidationError):
    def __init__(self, detail: str, code: str = "invalid_image") -> None:
        super().__init__({"image": [detail]}, code)


def small_picture(file: IO[bytes]) -> bytes:
    """``file``, a JPEG, PNG or WebP, as a WebP of at most 512 px without metadata, upright. Raises BadImage."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage("The picture has more than 24 megapixels.", "too_many_pixels")
            image.draft("RGB", (2 * SIDE, 2 * SIDE))  # lets a JPEG be read at a fraction of its size
            image.thumbnail((SIDE, SIDE))  # before it is turned, which copies it
            upright = ImageOps.exif_transpose(image)
            # A copy in one of two modes carries no profile, comment or position along.
            plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            plain.info.clear()
            out = io.BytesIO()
            plain.save(out, "WEBP", quality=85)
            return out.getvalue()
    except BadImage:
        raise
    except Exception as error:  # a crafted file has decoders raise anything; whatever it is, this is no picture
        raise BadImage("This is not a JPEG, PNG or WebP picture, or it is damaged.") from error
