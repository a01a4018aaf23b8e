"""The Data page: what is in a pool, what was set aside, and new studies from typed paths."""

from collections import Counter
from pathlib import Path

from falling import LEFT_OUT
from falling import make_study as falling_study
from tiny_study import work

from benchmarks.lab.planted_rows import HOSTILE
from cadc.jobs import control as jobs
from cadc.study import Study


def texts(page) -> list[str]:
    return [t.value for t in page.text]


def chosen(page) -> str:
    """The study in the address (AppTest gives a list until a page writes it)."""
    value = page.query_params["study"]
    return value if isinstance(value, str) else value[0]


def test_empty_cache_offers_the_embedded_example_and_typed_paths(empty_cache, open_page):
    page = open_page("1_data")
    assert [b.label for b in page.button][0] == "Make a study of the embedded example"
    assert {"Pool file", "Target file", "Image root"} <= {t.label for t in page.text_input}


def test_finished_study_shows_its_counts_and_reasons(study, open_page):
    page = open_page("1_data", study="trial")
    shown = {m.label: m.value for m in page.metric[:8]}
    assert shown["samples"] == "300" and shown["set aside"] == "7" and shown["left out in the run"] == "0"
    assert shown["near-duplicates"] != "0"
    keys = page.dataframe[1].value.set_index("key")
    assert dict(keys["became"]) == {"source": "read", "conversations": "read", "from": "read", "value": "read",
                                    "id": "read", "image": "read"} and keys["rows"]["conversations"] == 300
    reasons = page.dataframe[3].value
    assert reasons["rows"].sum() == 7 and "picture not found" in set(reasons["reason"])


def test_browsing_filters_on_apply_and_starts_at_the_first_page(study, open_page):
    page = open_page("1_data", study="trial")
    assert any("of 300" in t for t in texts(page))
    next(t for t in page.text_input if t.label.startswith("Words in")).set_value("no markup")
    next(b for b in page.button if b.label == "Apply").click()
    page.run()
    assert not page.exception
    assert "1–1 of 1" in texts(page) and HOSTILE in texts(page)


def test_everything_stays_where_no_source_is_chosen_and_some_rows_have_none(study, open_page):
    page = open_page("1_data", study="trial")
    box = next(s for s in page.selectbox if s.label == "Source")
    assert len(set(box.options)) == len(box.options), "the browser answers with them"
    assert box.options[0] == "all sources"
    next(b for b in page.button if b.label == "Apply").click()
    page.run()
    assert any(text.startswith("1–9 of 300") for text in texts(page))


def test_checking_no_file_says_what_to_give(study, open_page):
    page = open_page("1_data")
    next(b for b in page.button if b.label == "Check the files").click()
    page.run()
    assert not page.exception and any("nothing to check yet" in code.value for code in page.code)


def test_dataset_text_is_never_given_to_markdown(study, open_page):
    page = open_page("1_data", study="trial")
    assert HOSTILE in texts(page)
    assert not any("onerror" in m.value for m in [*page.markdown, *page.caption, *page.info, *page.warning])


def test_new_study_from_typed_paths_is_registered_and_read(study, open_page):
    page = open_page("1_data")
    inputs = {t.label: t for t in page.text_input}
    inputs["Pool file"].set_value(study.config.pool)
    inputs["Target file"].set_value(study.config.target)
    inputs["Image root"].set_value(study.config.images)
    inputs["Unit column of the target"].set_value("unit")
    inputs["Model"].set_value("some/model")
    inputs["checkpoints"].set_value("2")
    inputs["Name of the study"].set_value("typed")
    next(b for b in page.button if b.label == "Make the study").click()
    page.run()
    assert not page.exception and not page.error
    made = Study.open("typed")
    assert made.config.checkpoints == 2 and chosen(page) == "typed"
    assert jobs.status(made, "ingest").state in ("queued", "running", "done")


def test_wrong_path_is_one_clear_message(study, open_page):
    page = open_page("1_data")
    inputs = {t.label: t for t in page.text_input}
    inputs["Pool file"].set_value("/nowhere/pool.jsonl")
    inputs["Target file"].set_value(study.config.target)
    inputs["Name of the study"].set_value("typed")
    next(b for b in page.button if b.label == "Make the study").click()
    page.run()
    assert page.error and any("/nowhere/pool.jsonl not found" in c.value for c in page.code)
    assert Study.names() == ["trial"]


def test_reload_keeps_the_chosen_study(study, open_page):
    assert chosen(open_page("1_data", study="trial")) == "trial"


def test_missing_name_is_said_before_anything_is_made(study, open_page):
    page = open_page("1_data")
    inputs = {t.label: t for t in page.text_input}
    inputs["Pool file"].set_value(study.config.pool)
    inputs["Target file"].set_value(study.config.target)
    next(b for b in page.button if b.label == "Make the study").click()
    page.run()
    assert any("give a name" in c.value for c in page.code) and Study.names() == ["trial"]


def test_check_says_what_would_be_set_aside_and_makes_nothing(study, open_page):
    page = open_page("1_data")
    inputs = {t.label: t for t in page.text_input}
    inputs["Pool file"].set_value(study.config.pool)
    inputs["Target file"].set_value(study.config.target)
    inputs["Image root"].set_value(study.config.images)
    next(b for b in page.button if b.label == "Check the files").click()
    page.run()
    assert "pool: 307 rows, 300 usable, 7 set aside" in " ".join(texts(page)) and Study.names() == ["trial"]


def test_every_advanced_setting_says_what_it_does(empty_cache, open_page):
    page = open_page("1_data")
    settings = [t for t in page.text_input if (t.key or "").startswith("setting-")]
    assert len(settings) > 15 and all(t.help for t in settings)


def test_failed_ingest_says_why_and_can_be_tried_again(study, open_page):
    study.result("ingest").reopen()
    jobs.write_status(study, jobs.JobStatus(job="ingest", state="failed", message="pool.jsonl is empty. Give a file."))
    page = open_page("1_data", study="trial")
    assert any("pool.jsonl is empty" in c.value for c in page.code)
    assert "Read pool and target" in [b.label for b in page.button]


def test_what_is_not_real_is_said_on_every_page(study, open_page):
    assert "random numbers" in open_page("1_data", study="trial").sidebar.warning[0].value
    assert "random numbers" in open_page("3_capabilities", study="trial").sidebar.warning[0].value


def lost_rows(page) -> list:
    """What the Set aside tab lists of the rows that the run leaves out."""
    next(c for c in page.segmented_control if c.label == "Rows").set_value("left_out")
    page.run()
    assert not page.exception
    return [frame.value for frame in page.dataframe if "reason" in frame.value.columns]


def test_rows_left_out_in_the_run_stand_beside_those_set_aside(falling, monkeypatch, own_copy, open_page):
    monkeypatch.setenv("CADC_CACHE", str(own_copy(falling).root))
    page = open_page("1_data", study="falling")
    assert [(m.label, m.value) for m in page.metric[:3]] == [
        ("samples", "95"), ("set aside", "5"), ("left out in the run", "4")]
    assert any("left out in the run: 4 (too long: 2, not finite: 1, refused by the model's processor: 1)" in w.value
               for w in page.warning)
    kinds, rows = lost_rows(page)
    assert dict(zip(kinds["reason"], kinds["rows"], strict=True)) == Counter(LEFT_OUT.values())
    assert dict(zip(rows["index"], rows["id"], strict=True)) == {i: f"r{i}" for i in LEFT_OUT}
    assert all(reason.split(":")[0] == LEFT_OUT[i] for i, reason in zip(rows["index"], rows["reason"], strict=True))


def test_rows_that_are_probably_too_long_are_warned_of_before_the_run(falling, monkeypatch, tmp_path, open_page):
    work(falling_study(Path(falling.config.pool).parent, tmp_path), "lengths")
    monkeypatch.setenv("CADC_CACHE", str(tmp_path))
    page = open_page("1_data", study="falling")
    assert {m.label: m.value for m in page.metric[:3]} == {"samples": "95", "set aside": "5", "probably left out": "3"}
    assert any("probably too long: 2" in w.value for w in page.warning)
    rows = lost_rows(page)[1]
    assert "probably too long: about 421 tokens, at most max_tokens=220" in set(rows["reason"])
