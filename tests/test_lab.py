"""The launcher, its settings, the server extension, and the doctor."""

import json

from typer.testing import CliRunner

from course_lib.cli import app
from course_lib.lab import doctor, launcher, server


def test_the_command_line_points_at_what_exists():
    words = launcher.command(["--no-browser"])
    options = dict(w.split("=", 1) for w in words if w.startswith("--") and "=" in w)
    assert words[-1] == "--no-browser"
    assert (launcher.ROOT / launcher.LANDING).exists() and options["--LabApp.default_url"].endswith(launcher.LANDING)
    settings = json.loads((launcher.Path(options["--LabApp.app_settings_dir"]) / "overrides.json").read_text())
    keys = {s["keys"][0]: s["command"] for s in settings["@jupyterlab/shortcuts-extension:shortcuts"]["shortcuts"]}
    assert keys == {"PageDown": "deck:forward", "PageUp": "deck:back"}


def test_kernel_messages_leave_at_once():
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler as Handler

    before = Handler.open
    try:
        server._load_jupyter_server_extension(None)
        assert Handler.open is not before and Handler.open.__name__ == "open_without_delay"
    finally:
        Handler.open = before
    assert server._jupyter_server_extension_points() == [{"module": "course_lib.lab.server"}]


def test_the_doctor_finds_this_machine_well_and_says_what_is_wrong(monkeypatch):
    lines, healthy = doctor.report()
    text = "\n".join(lines)
    assert healthy and "✓ All is well." in text
    assert all(words in text for words in ("Python 3", "torch 2", "CPU cores", "memory free", "disk free", "preset"))
    monkeypatch.setattr(doctor, "pins", lambda: {"torch": "1.0"})
    monkeypatch.setattr(doctor, "memory", lambda: 0.5)
    lines, healthy = doctor.report()
    assert not healthy and any("tested with 1.0" in line for line in lines) and any("0.5 GB of memory" in line for line in lines)


def test_the_command_line_tool():
    run = CliRunner().invoke
    assert run(app, ["doctor"]).exit_code == 0
    result = run(app, ["build", "--check", "99"])
    assert result.exit_code == 1 and "no lecture 99" in result.output
    assert "doctor" in run(app, ["--help"]).output
