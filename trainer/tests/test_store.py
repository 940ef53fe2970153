import threading

import pytest

from understudy_trainer.errors import ApiError
from understudy_trainer.jobs.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    for number, content in enumerate("aab"):
        store.add_file(f"file-{number}", "rows.jsonl", "fine-tune", 10, 1, content * 64)
    yield store
    store.close()


def add(store, key, file="file-0", fingerprint="f", **metadata):
    return store.add_job(
        key=key, fingerprint=fingerprint, training_file=file, validation_file=None, metadata=metadata, spec={}
    )


def test_many_submits_of_one_key_at_once_make_one_job(store):
    found, start = [], threading.Barrier(16)

    def submit():
        start.wait()
        found.append(add(store, "cycle-1"))

    threads = [threading.Thread(target=submit) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job["id"] for job, _ in found}) == 1
    assert sum(new for _, new in found) == 1


def test_a_key_is_free_again_after_failure_or_cancellation_only(store):
    first, _ = add(store, "k")
    store.move(first["id"], ("validating_files",), "cancelled", "x")
    second, new = add(store, "k")
    assert new and second["id"] != first["id"]
    store.move(second["id"], ("validating_files",), "failed", "x")
    third, new = add(store, "k")
    assert new
    store.move(third["id"], ("validating_files",), "succeeded", "x")
    assert add(store, "k") == (store.job(third["id"]), False)


def test_the_same_content_under_another_file_id_is_the_same_job_and_other_content_a_conflict(store):
    job, _ = add(store, "k")
    assert add(store, "k", file="file-1")[0]["id"] == job["id"]
    for different in ({"file": "file-2"}, {"fingerprint": "g"}):
        with pytest.raises(ApiError) as refused:
            add(store, "k", **different)
        assert (refused.value.status, refused.value.code) == (409, "understudy_key_conflict")


def test_a_status_changes_only_from_the_expected_one(store):
    job, _ = add(store, None)
    assert store.move(job["id"], ("queued", "validating_files"), "cancelled", "x")
    assert not store.move(job["id"], ("running",), "succeeded", "x")
    assert store.job(job["id"])["status"] == "cancelled"


def test_jobs_are_paged_newest_first_and_filtered_by_metadata_whatever_its_key_holds(store):
    odd = 'a".b[0]$'
    ids = [add(store, None, **{odd: str(n % 2), "n": str(n)})[0]["id"] for n in range(5)][::-1]
    first, more = store.jobs(None, 2, {})
    rest, end = store.jobs(first[-1]["id"], 10, {})
    assert [job["id"] for job in first + rest] == ids
    assert (more, end) == (True, False)
    assert [job["metadata"]["n"] for job in store.jobs(None, 10, {odd: "1"})[0]] == ["3", "1"]
    assert store.jobs(None, 10, {odd: "1", "n": "2"})[0] == []


def test_a_file_is_kept_while_a_job_needs_it(store):
    job, _ = add(store, None)
    with pytest.raises(ApiError) as refused:
        store.delete_file("file-0")
    assert refused.value.code == "file_in_use"
    store.move(job["id"], ("validating_files",), "cancelled", "x")
    assert store.delete_file("file-0")
    assert not store.delete_file("file-0")
