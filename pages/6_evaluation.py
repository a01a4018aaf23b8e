from pages import _bench, _ui

study, store = _ui.open_study()
_bench.open_bench(study, store)
