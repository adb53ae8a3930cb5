from flows.dvc_graph import _reasons


def test_a_part_of_another_section_is_told_by_its_values() -> None:
    entries = [{"changed deps": {"params.yaml": {"invert.refinement": "modified"}}}]
    then = {"invert.refinement": {"num_steps": 100, "rate": 0.1}}
    now = {"invert": {"num_images": 5, "refinement": {"num_steps": 50, "rate": 0.1}}}
    assert list(_reasons(entries, then, now)) == ["invert.refinement.num_steps 100 -> 50"]
