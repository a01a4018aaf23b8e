"""Making a study: files are found below the roots, or typed; settings in groups."""

from cadc.views.folders import VARIABLE
from cadc.views.settings import GROUPS


def field(page, label):
    return next(t for t in page.text_input if t.label == label)


def box(page, label):
    return next(s for s in page.selectbox if s.label == label)


def press(page, label):
    next(b for b in page.button if b.label == label).click()
    page.run()
    assert not page.exception


def test_a_file_is_found_and_put_into_its_field(study, tmp_path, monkeypatch, open_page):
    root = tmp_path / "mine"
    (root / "data" / "pictures").mkdir(parents=True)
    (root / "data" / "pool *x*.json").write_text("[]")
    monkeypatch.setenv(VARIABLE, str(root))
    page = open_page("1_data")
    assert box(page, "Folder").value == str(root)
    box(page, "In it").select("data/").run()
    assert box(page, "Folder").value == str(root / "data") and box(page, "In it").options == ["pictures/",
                                                                                           "pool *x*.json"]
    box(page, "In it").select("pool *x*.json").run()
    press(page, "Use as pool")
    assert field(page, "Pool file").value == str(root / "data" / "pool *x*.json")
    assert next(b for b in page.button if b.label == "Use as image root").disabled, "a file is no folder"
    box(page, "In it").select("pictures/").run()
    press(page, "Use as image root")
    assert field(page, "Image root").value == str(root / "data" / "pictures")
    assert field(page, "Pool file").value.endswith("pool *x*.json"), "what was filled in stays"
    box(page, "Folder").select(str(root)).run()
    assert box(page, "In it").options == ["data/"], "and back up"
    assert not any("*x*" in m.value for m in [*page.markdown, *page.caption])


def test_a_root_that_is_not_there_is_said(empty_cache, monkeypatch, open_page):
    monkeypatch.setenv(VARIABLE, str(empty_cache / "gone"))
    page = open_page("1_data")
    assert any(f"${VARIABLE} names none" in t.value for t in page.text) and not page.error


def test_settings_stand_in_groups_and_the_check_says_what_was_changed(study, open_page):
    page = open_page("1_data")
    headings = [m.value for m in page.markdown]
    assert [h for h in headings if h in ("**Data**", "**Model**", "**Method**")][:3] == ["**Data**", "**Model**",
                                                                                      "**Method**"]
    assert all(f"**{group.name}**" in headings for group in GROUPS)
    field(page, "Pool file").set_value(study.config.pool)
    field(page, "checkpoints").set_value("2")
    press(page, "Check the files")
    assert any(t.value.startswith("Changed: checkpoints 2.") for t in page.text)
