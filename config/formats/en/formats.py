"""English dates; an instant has its zone."""

DATETIME_FORMAT = "j M Y, H:i T"
DATE_FORMAT = "j M Y"
