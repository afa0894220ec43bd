"""What benchmarks write."""

import json

import results


def test_results_are_written_whole_and_name_their_origin(tmp_path):
    target = tmp_path / "deep" / "run.json"
    results.store(target, "python run.py", {"seconds": 3})
    written = json.loads(target.read_text())
    assert written["command"] == "python run.py" and written["seconds"] == 3 and "PyTorch" in written["machine"]
    assert [p.name for p in target.parent.iterdir()] == ["run.json"]
