"""Profile pictures: every upload is converted to a small WebP or refused."""

import io
from typing import IO

from PIL import Image, ImageOps
from rest_framework.exceptions import ValidationError

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 24_000_000
SIDE = 512  # pixels of the longer side
FORMATS = ("JPEG", "PNG", "WEBP")


class BadImage(ValidationError):
    """The upload is not an accepted picture."""

    def __init__(self, detail: str, code: str = "invalid_image") -> None:
        super().__init__({"image": [detail]}, code)


def convert_picture(file: IO[bytes]) -> bytes:
    """Convert a JPEG, PNG or WebP to an upright WebP of at most 512 px without metadata; raises BadImage."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage("The picture has more than 24 megapixels. Send a smaller one.", "too_many_pixels")
            image.draft("RGB", (2 * SIDE, 2 * SIDE))  # decode a JPEG at reduced size
            image.thumbnail((SIDE, SIDE))  # before rotation, which copies the image
            upright = ImageOps.exif_transpose(image)
            # A converted copy carries no colour profile, comment or location.
            plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            plain.info.clear()
            out = io.BytesIO()
            plain.save(out, "WEBP", quality=85)
            return out.getvalue()
    except BadImage:
        raise
    except Exception as error:  # decoders raise arbitrary exceptions for crafted files
        raise BadImage("The file is not a JPEG, PNG or WebP picture, or it is damaged.") from error
