"""One action on many notes: on all of them or on none."""

from collections.abc import Collection
from typing import Any

from accounts.models import User

from . import labels, memberships, notes, trash


def act_on_notes(*, by: User, ids: Collection[int], action: str, label_ids: Collection[int] = ()) -> None:
    """Run ``action`` on all notes in one transaction; raises what the action raises for one note."""
    target: dict[str, Any] = {"by": by, "note_ids": set(ids)}
    match action:
        case "archive" | "unarchive":
            memberships.update_memberships(**target, archived=action == "archive")
        case "pin" | "unpin":
            memberships.update_memberships(**target, pinned=action == "pin")
        case "trash":
            trash.trash_notes(**target)
        case "restore":
            trash.restore_notes(**target)
        case "delete":
            notes.delete_notes(**target)
        case "add_labels":
            labels.add_labels(**target, label_ids=label_ids)
        case "remove_labels":
            labels.remove_labels(**target, label_ids=label_ids)
        case _:
            raise ValueError(f"Unknown action {action!r}.")
