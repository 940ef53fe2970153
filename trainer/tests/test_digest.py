import hashlib

from understudy_trainer.digest import files_digest


def test_the_digest_is_sha256_of_sha256_two_spaces_name_lines_sorted_by_name(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"hello")
    (tmp_path / "a.txt").write_bytes(b"")
    lines = (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a.txt\n"
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  b.txt\n"
    )
    assert files_digest(tmp_path, ["b.txt", "a.txt"]) == hashlib.sha256(lines.encode()).hexdigest()
    assert files_digest(tmp_path, ["a.txt", "b.txt"]) == files_digest(tmp_path, ["b.txt", "a.txt"])
