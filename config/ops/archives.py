"""Packs a backup's folder into one archive, encrypted for the owners of age keys, and unpacks it.

The format of the encryption is that of age (https://age-encryption.org/v1), so that ``age --decrypt`` reads it too. The
server knows only public keys: somebody who breaks into it cannot read the backups of other days.
"""

import tarfile
from collections.abc import Sequence
from pathlib import Path

import pyrage
from django.core.management.base import CommandError

PLAIN, ENCRYPTED = ".tar", ".tar.age"


def parse_recipients(keys: Sequence[str]) -> list[pyrage.x25519.Recipient]:
    """Return the public keys ``age1…``; raises CommandError that names an invalid one."""
    recipients = []
    for key in keys:
        try:
            recipients.append(pyrage.x25519.Recipient.from_str(key.strip()))
        except pyrage.RecipientError as error:
            raise CommandError(
                f"BACKUP_RECIPIENTS: {key.strip()[:20]!r} is not a public key of age (age1…)."
            ) from error
    return recipients


def pack(folder: Path, recipients: Sequence[str]) -> Path:
    """Write ``folder`` to an archive beside it and return its path.

    ``recipients`` are public keys of age; without any the archive is not encrypted.
    """
    keys = parse_recipients(recipients)
    archive = folder.with_name(folder.name + PLAIN)
    with tarfile.open(archive, "w") as tar:  # the dump is compressed already
        tar.add(folder, arcname=".")
    if not keys:
        return archive
    encrypted = folder.with_name(folder.name + ENCRYPTED)
    pyrage.encrypt_file(str(archive), str(encrypted), keys)
    archive.unlink()
    return encrypted


def unpack(archive: Path, folder: Path, identity: Path | None = None) -> None:
    """Unpack ``archive`` into ``folder``. ``identity`` is the file with the private key, for an encrypted one."""
    if archive.name.endswith(ENCRYPTED):
        decrypted = folder.with_name(folder.name + PLAIN)
        try:
            pyrage.decrypt_file(str(archive), str(decrypted), _identities(identity))
            unpack(decrypted, folder)
        except pyrage.DecryptError as error:
            raise CommandError(f"{archive.name} was not decrypted: {error}") from error
        finally:
            decrypted.unlink(missing_ok=True)
        return
    try:
        with tarfile.open(archive) as tar:
            # Python before 3.11.4 has no filters, and Debian 12 has 3.11.2: _check_member does not need them.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            for member in tar:
                _check_member(member, folder)
                tar.extract(member, folder)
    except (OSError, tarfile.TarError) as error:
        raise CommandError(f"{archive.name} is not an archive of a backup: {error}") from error


def _check_member(member: tarfile.TarInfo, folder: Path) -> None:
    """Raise TarError unless ``member`` is a file or a folder inside ``folder``."""
    inside = (folder / member.name).resolve().is_relative_to(folder.resolve())
    if not inside or not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"{member.name} is not a file or folder inside it")


def _identities(file: Path | None) -> list[pyrage.x25519.Identity]:
    if file is None:
        raise CommandError("The archive is encrypted: give the file with the private key of age, with --identity.")
    try:
        lines = file.read_text().splitlines()
        return [pyrage.x25519.Identity.from_str(line.strip()) for line in lines if line.startswith("AGE-SECRET-KEY-")]
    except (OSError, pyrage.IdentityError) as error:
        raise CommandError(f"{file} holds no private key of age: {error}") from error
