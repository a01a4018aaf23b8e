from pages import _ui

study, store = _ui.open_study()
_ui.job_panel(study)
