"""One action on many notes: all of them or none."""

from collections.abc import Collection
from typing import Any

from accounts.models import User

from . import content, labelling, own


def act_on_notes(*, by: User, ids: Collection[int], action: str, label_ids: Collection[int] = ()) -> None:
    """Do ``action`` to every one of ``ids``; raises what the action raises on one note, and then none has changed."""
    notes: dict[str, Any] = {"by": by, "note_ids": set(ids)}
    match action:
        case "archive" | "unarchive":
            own.set_view(**notes, archived=action == "archive")
        case "pin" | "unpin":
            own.set_view(**notes, pinned=action == "pin")
        case "trash":
            content.trash_notes(**notes)
        case "restore":
            content.restore_notes(**notes)
        case "delete":
            content.delete_notes(**notes)
        case "add_labels":
            labelling.add_labels(**notes, label_ids=label_ids)
        case "remove_labels":
            labelling.remove_labels(**notes, label_ids=label_ids)
        case _:
            raise ValueError(f"There is no action {action!r}.")
