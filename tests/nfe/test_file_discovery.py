import numpy as np
import pytest
from PIL import Image

from nfe.errors import SourceError
from nfe.file_discovery import find_files, plan_outputs

MAX_PIXELS = 10_000


def put(path, kind="png"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(path, kind)
    return path


def find(*inputs, out="out", lines=()):
    return [item.name for item in find_files([str(i) for i in inputs], out, lines)]


def outputs(found, picture_format="keep", taken=()):
    planned = plan_outputs(found, picture_format, MAX_PIXELS, taken)
    return {item.name: item.output for item in planned}


def test_folder_is_searched_below_sorted_without_hidden_and_output(tmp_path):
    for name in ("b.png", "a/2.png", "a/10.png", ".hidden.png", ".git/x.png", "out/done.png"):
        put(tmp_path / name)
    assert find(tmp_path, out=tmp_path / "out") == ["a/10.png", "a/2.png", "b.png"]


def test_linked_files_are_followed_linked_folders_not(tmp_path):
    put(tmp_path / "real/a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link.png").symlink_to(tmp_path / "real/a.png")
    (tmp_path / "in/folder").symlink_to(tmp_path / "real")
    assert find(tmp_path / "in") == ["link.png"]


def test_names_of_a_glob_start_at_its_wildcard(tmp_path):
    for name in ("p/a.png", "p/q/b.png", "p/c.jpg"):
        put(tmp_path / name)
    assert find(f"{tmp_path}/p/*.png") == ["a.png"]
    assert find(f"{tmp_path}/p/**/*.png") == ["a.png", "q/b.png"]
    assert find(f"{tmp_path}/*") == ["p/a.png", "p/c.jpg", "p/q/b.png"]


def test_list_file_and_standard_input(tmp_path):
    paths = [put(tmp_path / name) for name in ("x/a.png", "y/a.png")]
    (tmp_path / "list.txt").write_text("x/a.png\n\ny/a.png\n")
    assert find(tmp_path / "list.txt") == ["x/a.png", "y/a.png"]
    assert find("-", lines=[f"{path}\n" for path in paths]) == ["x/a.png", "y/a.png"]


def test_a_file_given_twice_is_one(tmp_path):
    path = put(tmp_path / "a.png")
    assert find(path, tmp_path, path) == ["a.png"]


def test_unusual_names_are_found(tmp_path):
    names = ["-dash.png", "new\nline.png", "日本語.png", "[x].png"]
    for name in names:
        put(tmp_path / name)
    assert find(tmp_path) == sorted(names)
    assert find(tmp_path / "[x].png") == ["[x].png"]


@pytest.mark.parametrize("name", ["missing.png", "*.nothing"])
def test_input_that_means_nothing_is_refused(tmp_path, name):
    with pytest.raises(SourceError, match="input must be a file, a folder or a glob"):
        find(tmp_path / name)


def test_empty_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="at least one file"):
        find(tmp_path)


def test_suffix_follows_the_content_or_the_format_asked_for(tmp_path):
    put(tmp_path / "s/a.png", "jpeg")
    put(tmp_path / "s/b.GIF", "gif")
    found = find_files([str(tmp_path)], tmp_path / "out", [])
    assert outputs(found) == {"s/a.png": "s/a.jpg", "s/b.GIF": "s/b.png"}
    assert set(outputs(found, "webp").values()) == {"s/a.webp", "s/b.webp"}


def test_colliding_names_keep_their_suffix(tmp_path):
    put(tmp_path / "a.jpg", "jpeg")
    put(tmp_path / "a.png")
    put(tmp_path / "b.png")
    found = find_files([str(tmp_path)], tmp_path / "out", [])
    assert outputs(found, "png") == {
        "a.jpg": "a.jpg.png",
        "a.png": "a.png.png",
        "b.png": "b.png",
    }
    assert outputs(found, "keep")["a.jpg"] == "a.jpg"


def test_names_that_still_collide_are_numbered(tmp_path):
    put(tmp_path / "x/a.png")
    put(tmp_path / "y/a.png")
    found = find_files([str(tmp_path / "x"), str(tmp_path / "y")], tmp_path / "out", [])
    planned = [item.output for item in plan_outputs(found, "png", MAX_PIXELS, [])]
    assert planned == ["a.png.png", "a.png-2.png"]


def test_names_of_other_inputs_are_not_taken(tmp_path):
    put(tmp_path / "a.png")
    found = find_files([str(tmp_path)], tmp_path / "out", [])
    assert outputs(found, taken=["A.png"]) == {"a.png": "a.png.png"}


def test_every_file_gets_an_output_or_a_problem(tmp_path):
    put(tmp_path / "good.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.md").write_text("hello")
    found = find_files([str(tmp_path)], tmp_path / "out", [])
    planned = {item.name: item for item in plan_outputs(found, "keep", MAX_PIXELS, [])}
    assert planned["good.png"].problem == ""
    assert "readable picture" in planned["empty.png"].problem
    assert not planned["empty.png"].stray
    assert planned["notes.md"].stray


def test_a_link_beside_its_file_is_another_file(tmp_path):
    put(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("a.png")
    (tmp_path / "c.png").symlink_to("c.png")
    assert find(tmp_path, tmp_path / "a.png") == ["a.png", "b.png", "c.png"]


def test_the_output_is_no_input(tmp_path):
    put(tmp_path / "a.png")
    put(tmp_path / "out/b.png")
    with pytest.raises(SourceError, match="--out must be another folder than the input"):
        find(tmp_path, out=tmp_path / "out/..")
    assert find(f"{tmp_path}/**/*.png", out=tmp_path / "out") == ["a.png"]


def test_no_name_leads_out_of_the_output(tmp_path):
    put(tmp_path / "secret.png")
    put(tmp_path / "in/a/b.png")
    found = find_files([f"{tmp_path}/in/*/../../secret.png"], tmp_path / "out", [])
    assert set(outputs(found).values()) == {"secret.png"}


def test_names_too_long_for_a_file_system_are_shortened_and_stay_different(tmp_path):
    for end in "ab":
        put(tmp_path / ("夏" * 83 + end + ".jpg"))
    names = set(outputs(find_files([str(tmp_path)], tmp_path / "out", [])).values())
    assert len(names) == 2
    for name in names:
        assert name.startswith("夏夏") and name.endswith(".png")
        assert len(name.encode()) <= 230


def test_a_list_breaks_at_ends_of_lines_only(tmp_path):
    put(tmp_path / "a\u2028b.png")
    (tmp_path / "list.txt").write_text("a\u2028b.png\r\n", encoding="utf-8")
    assert find(tmp_path / "list.txt") == ["a\u2028b.png"]


def test_a_picture_named_like_a_list_is_a_picture(tmp_path):
    put(tmp_path / "a.txt")
    assert find(tmp_path / "a.txt") == ["a.txt"]


def test_no_result_gets_the_name_of_a_companion(tmp_path):
    put(tmp_path / "a.png")
    put(tmp_path / "a.png.strip.png")
    found = find_files([str(tmp_path)], tmp_path / "out", [])
    planned = plan_outputs(found, "keep", MAX_PIXELS, [], companions=[".strip.png"])
    assert [item.output for item in planned] == ["a.png", "a.png.strip.png.png"]


def test_a_list_with_null_characters_is_refused():
    with pytest.raises(SourceError, match="one path a line, got a null character"):
        find("-", lines=["a\0b"])
