"""Static files with hashed names, so that browsers can cache them forever."""

import re
from collections.abc import Iterable, Iterator

from whitenoise.storage import CompressedManifestStaticFilesStorage

# Hashed names only, and no source maps: they are the largest files and only debuggers load them.
_COMPRESSIBLE = re.compile(r"\.[0-9a-f]{12}\.(?!map$)\w+$")


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    # Also rewrite imports between ES modules, so that a cached old module never loads a new one.
    support_js_module_import_aggregation = True
    # A pass renames the files that import a renamed file: one for each step of the longest chain of imports.
    max_post_process_passes = 10

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Compress files with hashed names that no earlier start has compressed."""
        return super().compress_files(
            path for path in paths if _COMPRESSIBLE.search(path) and not self.exists(f"{path}.gz")
        )
