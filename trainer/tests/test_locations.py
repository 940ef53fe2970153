import pytest

from understudy_trainer.errors import RefusedError
from understudy_trainer.locations import Locations


@pytest.fixture
def places(tmp_path):
    (tmp_path / "art/bases/tiny").mkdir(parents=True)
    (tmp_path / "art/adapters/abc").mkdir(parents=True)
    (tmp_path / "outside/model").mkdir(parents=True)
    (tmp_path / "art/bases/escape").symlink_to(tmp_path / "outside/model")
    (tmp_path / "art/adapters/escape").symlink_to(tmp_path / "outside/model")
    (tmp_path / "art/adapters/loop").symlink_to(tmp_path / "art/adapters/loop")
    return tmp_path, Locations(tmp_path / "art")


def code(call, *arguments) -> str:
    with pytest.raises(RefusedError) as refused:
        call(*arguments)
    return refused.value.code


def test_a_base_is_found_by_name_by_uri_and_by_path_as_one_and_the_same(places):
    root, locations = places
    found = {locations.base(spelling).source for spelling in ("tiny", "artifact:bases/tiny", f"{root}/art/bases/tiny")}
    assert found == {str(root / "art/bases/tiny")}


def test_a_hub_id_is_passed_on_and_anything_like_a_path_is_not(places):
    _, locations = places
    hub = locations.base("HuggingFaceTB/SmolLM2-135M-Instruct")
    assert (hub.source, hub.local) == ("HuggingFaceTB/SmolLM2-135M-Instruct", False)
    for wrong in ("../x", "a/../b", "a/b/c", "./a", "-a/b", "a/", "", "a b/c", "artifact:bases/../outside", "a/..b"):
        assert code(locations.base, wrong) == "bad_base"
    assert code(locations.base, "absent") == "base_not_found"


def test_links_and_paths_that_leave_the_roots_are_refused_whether_they_exist_or_not(places):
    root, locations = places
    assert code(locations.base, "escape") == "path_not_allowed"
    assert code(locations.base, f"{root}/outside/model") == "path_not_allowed"
    assert code(locations.adapter, f"{root}/art/adapters/escape") == "path_not_allowed"
    assert code(locations.adapter, f"{root}/art/adapters/../../outside/model") == "path_not_allowed"
    assert code(locations.adapter, "/no/such/place") == "path_not_allowed"
    assert code(locations.adapter, f"{root}/art/adapters/none") == "path_not_found"
    assert code(locations.adapter, f"{root}/art/adapters/loop") in ("path_not_found", "bad_path")
    assert code(locations.adapter, "adapters/abc") == "bad_path"
    assert code(locations.adapter, f"{root}/art/\0") == "bad_path"


def test_an_allowed_folder_is_a_further_root(places):
    root, _ = places
    locations = Locations(root / "art", [root / "outside"])
    assert locations.base(f"{root}/outside/model").local
    assert locations.adapter(f"{root}/outside/model") == root / "outside/model"
