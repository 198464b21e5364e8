"""What a measurement was made on: written into every result, because a figure without it means nothing."""

import os
import platform
import shutil
from pathlib import Path
from typing import Any


def description(folder: Path) -> dict[str, Any]:
    """Processor, memory, kernel, and the file system under `folder`; no name of the machine."""
    return {
        "processor": _first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_mib": int(_first("/proc/meminfo", "MemTotal").split()[0]) >> 10,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "file_system": _file_system(folder),
        "free_mib": shutil.disk_usage(folder).free >> 20,
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def in_words(machine: dict[str, Any]) -> str:
    """One line."""
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_mib'] / 1024:.0f} GiB, "
        f"Linux {machine['kernel']}, {machine['file_system']}, Python {machine['python']}, load {machine['load'][0]}"
    )


def _first(file: str, key: str) -> str:
    for line in Path(file).read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "0"


def _file_system(folder: Path) -> str:
    """Type of the file system of the longest mount point above `folder`."""
    place, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _device, mounted, fs_type, *_ = line.split()
        if folder.resolve().is_relative_to(mounted) and len(mounted) >= len(place):
            place, kind = mounted, fs_type
    return kind
