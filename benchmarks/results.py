"""How benchmarks write what they found: whole or not at all, with the machine and the command named."""

import json
import os
import platform
from pathlib import Path

import torch


def machine() -> str:
    """The processor, as a reader would name it, and the versions that matter."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), name)
    return f"{name}, {platform.system()}, Python {platform.python_version()}, PyTorch {torch.__version__}"


def store(path: Path, command: str, result: dict, where: str | None = None) -> None:
    """Write `result` as JSON with the command that makes it and the machine it was made on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    whole = {"command": command, "machine": where or machine(), **result}
    draft.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(draft, path)
