"""What several pages share: the study picker, job panel, table of rows, history of decisions. Widgets only."""
