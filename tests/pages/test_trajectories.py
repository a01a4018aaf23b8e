"""The Trajectories page: what runs, what it cost, and jobs that outlive the tab."""

import time
from dataclasses import replace

from cadc.estimate import ledger
from cadc.gradients import batch_plan, batch_search
from cadc.jobs.control import JobStatus, worker_lock, write_status
from cadc.views.words import unbroken


def labels(page) -> list[str]:
    return [b.label for b in page.button]


def test_empty_cache_points_to_the_data_page(empty_cache, open_page):
    page = open_page("2_trajectories")
    assert "Data" in page.info[0].value and not page.button


def test_finished_study_shows_settings_and_what_jobs_took(study, open_page):
    page = open_page("2_trajectories", study="trial")
    settings = page.dataframe[0].value.set_index("setting")["value"]
    taken = page.table[0].value["time, taken"].tolist()
    assert taken[:6] == [f"{n}\N{NO-BREAK SPACE}s" for n in range(3, 9)]
    assert set(taken[6:]) == {"–"}, "for the others nobody has asked"
    assert settings["checkpoints T"] == "3"
    assert "Start" not in labels(page) and "Resume" not in labels(page)


def test_interrupted_job_can_be_resumed(study, open_page):
    study.result("attribute").reopen()
    write_status(study, JobStatus(job="attribute", state="running", done=10, total=300, updated=time.time()))
    page = open_page("2_trajectories", study="trial")
    assert "Resume" in labels(page) and any("interrupted" in m.value for m in page.markdown)


def test_running_job_shows_its_pace_and_a_cancel_request_reaches_its_file(study, open_page):
    study.result("attribute").reopen()
    write_status(study, JobStatus(job="attribute", state="running", done=10, total=300, rate=12.5, eta_s=200,
                                  readings={"loss": 1.25}, updated=time.time()))
    with worker_lock(study):
        page = open_page("2_trajectories", study="trial")
        shown = " ".join(t.value for t in page.text).replace("\N{NO-BREAK SPACE}", "~")
        for part in ("10~of 300~samples", "12.5~samples/s", "3~min 20~s to go", "loss 1.25"):
            assert part in shown
        next(b for b in page.button if b.label == "Cancel").click()
        page.run()
    assert (study.job_folder("attribute") / "cancel").exists()


def test_a_job_that_loads_its_model_says_so_and_has_no_bar(study, open_page):
    study.result("attribute").reopen()
    write_status(study, JobStatus(job="attribute", state="running", total=36_480, note="loading the model",
                                  updated=time.time(), started=time.time() - 3601))
    with worker_lock(study):
        page = open_page("2_trajectories", study="trial")
    shown = " ".join(t.value for t in page.text).replace("\N{NO-BREAK SPACE}", "~")
    assert "loading the model · 1~h 00~min · then 36,480~samples" in shown
    assert "0~of 36,480" not in shown
    assert not page.get("progress") and any("getting ready" in m.value for m in page.markdown)


def test_failed_job_shows_its_message(study, open_page):
    study.result("warmup").reopen()
    write_status(study, JobStatus(job="warmup", state="failed", message="model ran out of memory. Lower warmup_batch."))
    page = open_page("2_trajectories", study="trial")
    assert any("Lower warmup_batch" in c.value for c in page.code)


def test_study_that_was_only_read_can_be_started(study, open_page):
    for job in ("warmup", "targets", "attribute", "scores", "near"):
        study.result(job).reopen()
        write_status(study, JobStatus(job=job))
    assert "Start" in labels(open_page("2_trajectories", study="trial"))


def test_kept_predictions_stand_beside_what_jobs_took(study, open_page):
    costs = {"warmup": {"seconds": 8.0, "memory_mb": 700.0, "disk_mb": 3.0}}
    ledger.keep(study, ledger.HERE, ledger.summed(costs) | {"basis": "measured: a few rows"})
    page = open_page("2_trajectories", study="trial")
    table = page.table[0].value
    assert table.loc["warmup", "time, predicted"] == unbroken("8 s")
    assert table.loc["warmup", "predicted ÷ taken"] == "2.00"
    assert any("measured: a few rows" in t.value for t in page.text)


def test_a_named_device_can_be_chosen_and_shows_its_own_prediction(study, open_page):
    costs = {"warmup": {"seconds": 8.0, "memory_mb": 700.0, "disk_mb": 3.0}}
    ledger.keep(study, "h100", ledger.summed(costs) | {"basis": "from the FLOP model, not measured"})
    ledger.keep(study, ledger.HERE, ledger.summed({"warmup": costs["warmup"] | {"seconds": 9.0}}) | {"basis": "here"})
    page = open_page("2_trajectories", study="trial")
    device = next(s for s in page.selectbox if s.label == "Predict for")
    device.set_value("h100").run()
    assert not page.exception and page.number_input[0].label == "Share of its peak speed"
    table = page.table[0].value
    assert table.loc["warmup", "time, predicted"] == unbroken("8 s") and "predicted ÷ taken" not in table


def test_warning_of_the_start_up_check_is_shown_as_plain_text(study, open_page):
    before = len(open_page("2_trajectories", study="trial").warning)
    text = "scores depend on which samples share a batch: *eager*"
    for job in ("targets", "attribute"):
        batch_plan.write_first(study, job, replace(batch_search.fixed(), warnings=(text,)))
    page = open_page("2_trajectories", study="trial")
    assert len(page.warning) == before + 1 and [c.value for c in page.code].count(text) == 1


def test_a_prediction_is_made_beside_the_page_and_can_be_cancelled(study, open_page):
    from cadc.estimate import background

    page = open_page("2_trajectories", study="trial")
    next(b for b in page.button if b.label == "Predict the cost").click()
    page.run()
    assert not page.exception and background.standing(study).state != "waiting"
    until = time.monotonic() + 120
    if background.is_estimating(study):
        assert next(b for b in page.button if b.label == "Predict the cost").disabled
        background.cancel(study)
    while background.is_estimating(study):
        assert time.monotonic() < until
        time.sleep(0.05)
    page = open_page("2_trajectories", study="trial")
    assert not next(b for b in page.button if b.label == "Predict the cost").disabled
    shown = [t.value for t in page.text] + [e.value for e in page.error]
    assert any("prediction for" in text for text in shown), "cancelled, or the synthetic study has no model"
