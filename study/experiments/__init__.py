"""Programs over search and execution: the contest of methods, the case study of cycles."""
