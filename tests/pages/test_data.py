"""The Data page: what is in a pool, what was set aside, and new studies from typed paths."""

from benchmarks.synthesise import HOSTILE
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
    shown = {m.label: m.value for m in page.metric[:7]}
    assert shown["samples"] == "300" and shown["set aside"] == "7" and shown["near-duplicates"] != "0"
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
