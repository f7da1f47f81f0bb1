"""Static files: collected under names that change with their content, so that browsers may keep them for ever."""

import re
from collections.abc import Iterable, Iterator

from whitenoise.storage import CompressedManifestStaticFilesStorage

# By its hashed name, and no source map: those are the largest of all, and only a debugger asks for them.
_WORTHWHILE = re.compile(r"\.[0-9a-f]{12}\.(?!map$)\w+$")


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    # Renames what ES modules import from one another too: by its plain name an old module could meet a new one.
    support_js_module_import_aggregation = True

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Compress what pages ask for, which is the hashed names, and of those only what no earlier start has done."""
        return super().compress_files(
            path for path in paths if _WORTHWHILE.search(path) and not self.exists(f"{path}.gz")
        )
