"""The launcher, its settings, the server extension, and the doctor."""

import json
import re
from pathlib import Path

import nbformat
from typer.testing import CliRunner

from course_lib.cli import app
from course_lib.lab import doctor, launcher, server, warm


def test_the_command_line_points_at_what_exists():
    words = launcher.command(["--no-browser"])
    options = dict(w.split("=", 1) for w in words if w.startswith("--") and "=" in w)
    assert words[-1] == "--no-browser"
    assert (launcher.ROOT / launcher.LANDING).exists() and options["--LabApp.default_url"].endswith(launcher.LANDING)
    settings = json.loads((Path(options["--LabApp.app_settings_dir"]) / "overrides.json").read_text())
    keys = {s["keys"][0]: s["args"] for s in settings["@jupyterlab/shortcuts-extension:shortcuts"]["shortcuts"]}
    assert keys["PageDown"] == {"direction": "down", "alternate": "forward"}
    assert keys["PageUp"] == {"direction": "up", "alternate": "back"}


def test_kernel_messages_leave_at_once():
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler as Handler

    before = Handler.open
    try:
        server._load_jupyter_server_extension(None)
        assert Handler.open is not before and Handler.open.__name__ == "open_without_delay"
    finally:
        Handler.open = before
    assert server._jupyter_server_extension_points() == [{"module": "course_lib.lab.server"}]


def test_the_style_of_slides_is_served_and_a_changed_server_is_left_alone():
    class App:
        web_app = type("Web", (), {"settings": {"static_custom_path": ["theirs"]}})

    before = App.web_app.settings["static_custom_path"]
    server._load_jupyter_server_extension(App)
    assert before == [server.CUSTOM, "theirs"] and (Path(server.CUSTOM) / "custom.css").exists()
    App.web_app.settings = {}
    server._load_jupyter_server_extension(App)


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
    for command in ("warm", "slides", "notes"):
        extra = ["--out", "nowhere"] if command == "slides" else []
        result = run(app, [command, "99", *extra])
        assert result.exit_code == 1 and "no lecture 99" in result.output and not Path("nowhere").exists()
    assert "doctor" in run(app, ["--help"]).output


def test_warm_says_what_a_lecture_takes_and_names_what_fails(tmp_path):
    said = []
    for name, code in (("07_fine", "1 + 1"), ("08_broken", "1 / 0")):
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        nbformat.write(book, tmp_path / f"{name}.ipynb")
    assert warm.warm([tmp_path / "07_fine.py"], said.append) == 0
    assert warm.warm([tmp_path / "08_broken.py"], said.append) == 1
    assert re.match(r"07_fine +\d+ s", said[0]) and "08_broken" in said[2] and "ZeroDivisionError" in said[2]
