"""Which account the embedded servers run under: the user's own, or for root an unprivileged one that exists."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from console.embedded import privileges
from console.embedded.home import StartError


@dataclass(frozen=True, slots=True)
class Account:
    """uid and gid are -1 where the servers simply run as the person who starts them."""

    uid: int = privileges.KEEP_ACCOUNT
    gid: int = privileges.KEEP_ACCOUNT

    @property
    def dropped(self) -> bool:
        """Whether root steps down to this account."""
        return self.uid != privileges.KEEP_ACCOUNT


def account_for(data: Path) -> Account:
    """For root: the owner of data that exists, or of ANDON_HOME above it, else `nobody`. For others: themselves."""
    if os.geteuid() != 0:
        return Account()
    for path in (data, data.parent):
        if path.is_dir() and (found := path.stat()).st_uid != 0:
            return Account(found.st_uid, found.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(nobody.pw_uid, nobody.pw_gid)


def capability_for(account: Account, program: Path, folders: Iterable[Path]) -> int:
    """The capability the account needs to enter the folders and run the program; -1 where the modes allow it.

    Root's project may lie in a folder that nobody else can enter, such as /root. Then the server gets the right to pass
    and read, and nothing more; only a program that its own mode closes calls for the wider capability.
    """
    if not account.dropped:
        return privileges.NO_CAPABILITY
    program = program.resolve()
    runnable = _allows(program.stat(), account, stat.S_IROTH | stat.S_IXOTH)
    reachable = all(
        _allows(parent.stat(), account, stat.S_IXOTH)
        for path in (program.parent, *(folder.resolve() for folder in folders))
        for parent in (path, *path.parents)
    )
    if runnable and reachable:
        return privileges.NO_CAPABILITY
    wanted = [privileges.CAP_DAC_READ_SEARCH] * runnable + [privileges.CAP_DAC_OVERRIDE]
    for capability in wanted:
        if privileges.permitted(capability):
            return capability
    raise StartError(
        f"PostgreSQL does not run as root, and the account it would run under (uid {account.uid}) can't enter "
        f"{program.parent}. Move the project to a folder others may enter, or run it as an ordinary user."
    )


def _allows(found: os.stat_result, account: Account, wanted: int) -> bool:
    if found.st_uid == account.uid:
        wanted <<= 6
    elif found.st_gid == account.gid:
        wanted <<= 3
    return found.st_mode & wanted == wanted
