import pytest
from conftest import jsonl, make_rows

from understudy_trainer.base.build import build_base
from understudy_trainer.base.options import BaseOptions
from understudy_trainer.errors import RefusedError

TINY = BaseOptions(hidden=16, layers=1, heads=2, vocab=300, epochs=1)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(jsonl(make_rows(48, 5)))
    return path


def test_the_same_data_options_and_seed_give_the_same_base_and_another_seed_another(data, tmp_path):
    first = build_base(data, tmp_path / "a", TINY)
    second = build_base(data, tmp_path / "b", TINY)
    other = build_base(data, tmp_path / "c", BaseOptions(**{**vars(TINY), "seed": 2}))
    assert first["digest"] == second["digest"] != other["digest"]


def test_a_finished_base_is_found_again_and_a_damaged_or_outdated_one_rebuilt(data, tmp_path, capsys):
    out = tmp_path / "base"
    digest = build_base(data, out, TINY)["digest"]
    build_base(data, out, TINY)
    assert '"event": "cached"' in capsys.readouterr().out.splitlines()[-1]
    (out / "config.json").write_text("{}")
    assert build_base(data, out, TINY)["digest"] == digest
    assert '"event": "built"' in capsys.readouterr().out.splitlines()[-1]
    data.write_bytes(jsonl(make_rows(48, 6)))
    assert build_base(data, out, TINY)["digest"] != digest
    assert sorted(path.name for path in tmp_path.iterdir() if "making" in path.name) == []


def test_a_folder_that_is_no_base_is_left_alone(data, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(RefusedError, match="was not made by build-base"):
        build_base(data, out, TINY)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_wrong_data_is_refused_with_its_line_before_anything_is_made(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(jsonl(make_rows(1, 1)) + b"{}\n")
    with pytest.raises(RefusedError, match="line 2"):
        build_base(path, tmp_path / "out", TINY)
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.jsonl"]
