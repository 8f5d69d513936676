"""Finds the system's PostgreSQL server with pgSphere, or says which packages bring it."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from vo.errors import OperatorFault

#: Debian and Ubuntu keep each major version's programs here.
_DEBIAN = Path("/usr/lib/postgresql")
_SHARES = ("/usr/share/postgresql/{major}", "{prefix}/share/postgresql", "{prefix}/share/pgsql", "{prefix}/share")

#: The major version that each release of Debian (by number) and Ubuntu (by number) carries.
_CARRIED = {"debian 12": 15, "debian 13": 17, "ubuntu 22.04": 14, "ubuntu 24.04": 16, "ubuntu 25.04": 17}


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installed PostgreSQL: its folder of programs, its major version, and whether pgSphere is there for it."""

    folder: Path
    major: int
    has_pgsphere: bool

    def program(self, name: str) -> str:
        """Path of ``initdb``, ``postgres`` or another of its programs."""
        return str(self.folder / name)


def find_binaries(major: int | None = None) -> Binaries:
    """Find the newest PostgreSQL that has pgSphere; with ``major`` that very version (an existing cluster needs it).

    :class:`OperatorFault` names the packages to install.
    """
    found = [one for one in _installed() if major in (None, one.major)]
    usable = [one for one in found if one.has_pgsphere]
    if usable:
        return max(usable, key=lambda one: one.major)
    if found:
        newest = max(found, key=lambda one: one.major).major
        raise OperatorFault(
            f"PostgreSQL {newest} is here but not its extension pgSphere: {_install(newest, server=False)}"
        )
    raise OperatorFault(f"PostgreSQL{f' {major}' if major else ''} is not installed: {_install(major, server=True)}")


def _installed() -> list[Binaries]:
    folders = [folder for folder in _DEBIAN.glob("*/bin") if folder.parent.name.isdigit()]
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    unique = {
        folder.resolve() for folder in folders if _is_program(folder / "initdb") and _is_program(folder / "postgres")
    }
    return [one for one in map(_inspect, sorted(unique)) if one is not None]


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _inspect(folder: Path) -> Binaries | None:
    for pattern in _SHARES:
        named = folder.parent.name if folder.parent.name.isdigit() else ""
        share = Path(pattern.format(major=named or "-", prefix=folder.parent))
        if not (share / "postgres.bki").is_file():
            continue
        with (share / "postgres.bki").open(encoding="utf-8") as stream:
            first = stream.readline()  # "# PostgreSQL 15"
        match = re.search(r"(\d+)", first)
        if match is not None:
            return Binaries(folder, int(match[1]), (share / "extension" / "pg_sphere.control").is_file())
    return None


def _install(major: int | None, *, server: bool) -> str:
    if shutil.which("apt-get") is None:
        return "install PostgreSQL 14 or newer and pgSphere (https://pgsphere.org) for it, or set VO_DSN to a database"
    release = _release()
    version = major or _CARRIED.get(release)
    if version is None:
        return "apt-get install postgresql and the package postgresql-<version>-pgsphere of the same version"
    packages = f"postgresql-{version}-pgsphere"
    return f"apt-get install {f'postgresql-{version} ' if server else ''}{packages}"


def _release() -> str:
    try:
        about = platform.freedesktop_os_release()
    except OSError:
        return ""
    return f"{about.get('ID', '')} {about.get('VERSION_ID', '')}"
