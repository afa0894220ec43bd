"""`course lab`: JupyterLab with the course's landing page, its own settings, and quick kernel messages."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANDING = "lectures/00_start_here.ipynb"


def command(extra: list[str], root: Path = ROOT) -> list[str]:
    """The command line of a JupyterLab that serves `root`; the user's own settings are left alone."""
    return [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        "--ServerApp.jpserver_extensions={'course_lib.lab.server': True}",
        f"--LabApp.default_url=/lab/tree/{LANDING}",
        f"--LabApp.app_settings_dir={Path(__file__).parent / 'settings'}",
        "--LabApp.custom_css=True",
        *extra,
    ]


def launch(extra: list[str]) -> int:
    """Run JupyterLab until it is stopped; its exit status."""
    # as root (containers, Binder) Jupyter refuses to start unless told that this is meant
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in extra else []
    try:
        return subprocess.run(command(root + extra), cwd=ROOT).returncode
    except KeyboardInterrupt:
        return 0
